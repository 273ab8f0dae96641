"""The commands of `tallymill`: options and help texts. Each module declares the command or group of its name."""
