"""`tallymill doctor`: whether the settings of Kafka and MongoDB keep the promise."""
