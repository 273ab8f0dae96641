"""HTTP to Kafka: who sends is verified, the batch is judged, its bytes are published; OK only after Kafka's ack."""
