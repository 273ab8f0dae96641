"""The worker: Kafka -> one MongoDB transaction a flush. `core/` decides, the modules here act."""
