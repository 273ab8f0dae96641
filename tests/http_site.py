"""An HTTP server of a test, on threads of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ops.local.servers.ports import LOOPBACK


@contextmanager
def http_site(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[str]:
    """Its origin, such as `http://127.0.0.1:5000`. It answers for as long as the block lasts."""
    server = ThreadingHTTPServer((LOOPBACK, port), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
