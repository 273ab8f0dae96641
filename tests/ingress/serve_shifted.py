"""An ingress whose wall clock is off: `python serve_shifted.py CONFIG.json FILE`. FILE has the milliseconds."""

import sys
from pathlib import Path

from ingress import server
from ingress.config import IngressConfig
from ops.logs import configure_logs
from serving.clock import SystemClock


class ShiftedClock(SystemClock):
    def wall_millis(self) -> int:
        return super().wall_millis() + int(Path(sys.argv[2]).read_text())


if __name__ == "__main__":
    configure_logs()
    vars(server).update(SystemClock=ShiftedClock)
    sys.exit(server.run(IngressConfig.model_validate_json(Path(sys.argv[1]).read_bytes())))
