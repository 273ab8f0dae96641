"""Reads the settings: variables, files of secrets and the TOML file; and the messages when they are wrong."""
