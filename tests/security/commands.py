"""Every command that connects to a server, and how it is run so that it does."""

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

from ops.config import LOCAL_FILE_NAME
from ops.local.servers.processes import own_command
from ops.local.settings import to_toml
from ops.local.state import Process, Servers, State, data_lock, write_state
from schemas.documents import DEAD_LETTERS, LINEAGES
from tests.security.system import Ran, SecuredSystem, Table

READY: Final = "ready"
DEFINITIONS: Final = "app: demo\ndefault_language: en\ndefinitions: [{id: LEVEL_UP, names: {en: Level up}}]\n"


@dataclass(frozen=True, slots=True)
class Command:
    """`kafka`: whether it connects to Kafka too. All connect to MongoDB.

    In the options `{folder}` stands for the system's, and `{ingress}` for the URL of one that is ready.
    """

    name: str
    options: tuple[str, ...] = ()
    kafka: bool = True

    def __str__(self) -> str:
        return self.name


_REASON: Final = ("--reason", "a test")

COMMANDS: Final = (
    Command("init"),
    Command("doctor"),
    Command("verify"),
    Command("lineage"),
    Command("lineage start", ("--from", "end", "--yes", *_REASON)),
    Command("lineage accept-loss", ("r1", *_REASON)),
    Command("dead-letters redrive", ("--again",)),
    Command("status", ("--data", "{folder}/data")),
    Command("prepare", ("{folder}/definitions.yaml",)),
    Command("dead-letters list", kafka=False),
    Command("dead-letters show", ("r1/00/0",), kafka=False),
    Command("titles list", ("demo",), kafka=False),
    Command("titles free", ("demo", "a title"), kafka=False),
    Command("definitions list", kafka=False),
    Command("definitions apply", ("{folder}/definitions.yaml",), kafka=False),
    Command("load", ("--rate", "1", "--seconds", "1", "--url", "{ingress}"), kafka=False),
)

# They connect to neither server.
WITHOUT_SERVERS: Final = ("canary", "config", "down", "keys", "link", "logs", "probe", "token", "up")


def run(system: SecuredSystem, command: Command, settings: Mapping[str, Table]) -> Ran:
    """With these settings of the sections `kafka` and `mongodb`."""
    meant = {"{folder}": str(system.folder), "{ingress}": f"http://127.0.0.1:{system.ports[READY]}"}
    words = [
        *command.name.split(),
        *(reduce(lambda text, one: text.replace(*one), meant.items(), option) for option in command.options),
    ]
    return _status(system, words, settings) if command.name == "status" else system.run(*words, user="any", **settings)


def _status(system: SecuredSystem, words: Sequence[str], settings: Mapping[str, Table]) -> Ran:
    """In a process of its own, which it ends without waiting for its threads."""
    (system.folder / "data" / LOCAL_FILE_NAME).write_text(to_toml(system.settings("any", **settings)))
    began = time.monotonic()
    done = subprocess.run(own_command(*words), capture_output=True, text=True, check=False)
    return Ran(done.returncode, done.stdout + done.stderr, time.monotonic() - began)


@contextmanager
def prepared(system: SecuredSystem) -> Iterator[None]:
    """What makes every command connect: a dead letter, definitions, and a local system that seems to run."""
    (system.folder / "definitions.yaml").write_text(DEFINITIONS)
    with system.mongo.client as client:
        database = client[system.name]
        lineage = database[LINEAGES].find_one({"topic": system.name})
        assert lineage
        letter = {"_id": f"{lineage['_id']}/00/0", "reason": "a test", "at": datetime.now(UTC)}
        letter |= {"value": b"x", "key": None, "headers": []}
        database[DEAD_LETTERS].replace_one({"_id": letter["_id"]}, letter, upsert=True)
    data = system.folder / "data"
    data.mkdir(exist_ok=True)
    servers = Servers(system.name, Process("127.0.0.1:1"), Process("127.0.0.1:2"))
    with data_lock(data), _ready_ingress() as system.ports[READY]:
        write_state(data, State("ready", 1, str(data), servers))
        yield


@contextmanager
def _ready_ingress() -> Iterator[int]:
    """The port of a server that answers 200 to everything, which `load` takes for an ingress."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
