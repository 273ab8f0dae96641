"""What `tallymill status` asks and adds up."""
