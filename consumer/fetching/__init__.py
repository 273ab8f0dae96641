"""What a broker sends, made into records: bounded, and with a way past what can't be decoded."""
