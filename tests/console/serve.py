"""Runs a console: `python serve.py CONFIG.json`, like `tallymill console` but without a settings file."""

import sys
from pathlib import Path

from console.config import ConsoleConfig
from console.server import run
from ops.logs import configure_logs

if __name__ == "__main__":
    configure_logs()
    sys.exit(run(ConsoleConfig.model_validate_json(Path(sys.argv[1]).read_bytes())))
