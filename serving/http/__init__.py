"""The HTTP server of every process: its life, its bounds on bytes and connections, CORS."""
