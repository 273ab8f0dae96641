"""The local system: `tallymill up` starts, watches and stops Kafka, MongoDB and tallymill's processes."""
