"""One ingress process: `python serve.py CONFIG.json`. What `tallymill ingress` does, without its settings file."""

import sys
from pathlib import Path

from ingress.config import IngressConfig
from ingress.server import run
from ops.logs import configure_logs

if __name__ == "__main__":
    configure_logs()
    sys.exit(run(IngressConfig.model_validate_json(Path(sys.argv[1]).read_bytes())))
