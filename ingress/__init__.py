"""HTTP to Kafka: checks the token, judges the batch, publishes its bytes, and answers OK only after Kafka's ack."""
