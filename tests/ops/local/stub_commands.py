"""Replaces `python -m ops NAME` in tests of the supervisor: an ingress or worker that only answers /readyz."""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    name = sys.argv[1]
    variable = {
        "ingress": "TALLYMILL_INGRESS__PORT",
        "console": "TALLYMILL_CONSOLE__PORT",
        "worker": "TALLYMILL_WORKER__METRICS_PORT",
    }.get(name)
    if variable:
        HTTPServer(("127.0.0.1", int(os.environ[variable])), Ready).serve_forever()


if __name__ == "__main__":
    main()
