"""The local system: real Kafka and MongoDB, the ingress and workers, started, watched and stopped by `tallymill up`."""
