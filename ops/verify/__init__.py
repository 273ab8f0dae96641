"""`tallymill verify`: recounts from Kafka what MongoDB says, sharing no planning code with the worker."""
