"""`tallymill doctor`: checks whether Kafka and MongoDB are set up for exactly-once counting."""
