"""`tallymill up DATA` with stub_commands.py for the ingress and workers: what the supervisor's tests start."""

import sys
from pathlib import Path

from ops.local.servers.ports import PortsTaken
from ops.local.servers.source import Sources, settings_of_user
from ops.local.state import to_json
from ops.local.supervisor import Supervisor, SystemOptions

STUB = str(Path(__file__).with_name("stub_commands.py"))


def main() -> None:
    data, workers = Path(sys.argv[1]), int(sys.argv[2])
    sources = Sources(kafka="local", mongodb="local")
    options = SystemOptions(data, workers, settings_of_user(), sources, lambda *words: (sys.executable, STUB, *words))
    try:
        Supervisor(options).run(lambda state: print(to_json(state), flush=True))  # noqa: T201 read by the test
    except PortsTaken as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
