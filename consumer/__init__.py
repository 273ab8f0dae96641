"""The worker: from Kafka to MongoDB, one transaction for each flush. `core/` decides, the modules here act."""
