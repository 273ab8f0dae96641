"""The HTTP server of every process: start and stop, limits of bytes and connections, CORS."""
