"""A whole system on secured servers: each process and each command signs in as a user of its own."""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote_plus

from typer.testing import CliRunner

from ops.cli import app
from ops.config import FILE_VARIABLE
from ops.local.servers.ports import any_free
from ops.local.servers.processes import Child, Children, Program, last_lines, own_command
from ops.local.settings import to_toml
from ops.tokens.issuer import ensure_issuer
from tests.patience import PATIENCE_SECONDS
from tests.security import mongo_rights
from tests.security.mongo_servers import SecuredMongo

Known = Literal["password", "certificate"]
"""How MongoDB knows a user."""

Table = dict[str, Any]

PROCESSES: Final = ("ingress", "worker", "console")
LISTEN: Final = {"ingress": ("ingress", "port"), "worker": ("worker", "metrics_port"), "console": ("console", "port")}


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    status: int
    said: str
    seconds: float

    @property
    def json(self) -> Any:  # noqa: ANN401 a command's JSON
        """Of the standard output's last line."""
        return json.loads(next(line for line in reversed(self.said.splitlines()) if line[:1] in "[{"))


@dataclass
class SecuredSystem:
    """`kafka` gives the settings of a process. Users of MongoDB are made when they are first needed."""

    folder: Path
    name: str
    mongo: SecuredMongo
    kafka: Callable[[str], Table]
    known: Known
    children: Children
    changed: Mapping[str, Table] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    uris: dict[str, str] = field(default_factory=dict)
    tokens: Table = field(default_factory=dict)
    started: int = 0

    def user(self, process: str) -> str:
        return f"{self.name}-{process}"

    def uri(self, process: str) -> str:
        """Of the user of a process, with the rights of the table."""
        if process not in self.uris:
            make = self.mongo.make_user if self.known == "password" else self.mongo.make_certificate_user
            given = mongo_rights.privileges(mongo_rights.of(process), self.name)
            self.uris[process] = make(self.user(process), given)
        return self.uris[process]

    def settings(self, process: str, **changed: Table) -> dict[str, Table]:
        """The settings file of a process, as tables."""
        kafka = {"records_topic": self.name, "analytics_topic": f"{self.name}.analytics", "group": self.name}
        tables: dict[str, Table] = {
            "kafka": {"partitions": 2, **kafka, **self.kafka(process)},
            "mongodb": {"uri": changed.get("mongodb", {}).get("uri") or self.uri(process), "database": self.name},
            "signing": {"keys": ["a key of sixteen bytes or more"]},
            "tokens": self.tokens,
            "ingress": {"drain_seconds": 0},
            "worker": {"session_timeout_seconds": 6, "max_backoff_seconds": 1},
            "console": {"drain_seconds": 0, "session_keys": ["another key of sixteen bytes or more"]},
        }
        for section, name in LISTEN.values():
            if section not in self.ports:
                self.ports[section] = any_free()
            tables[section][name] = self.ports[section]
        for more in (self.changed, changed):
            for section, table in more.items():
                tables[section] = {**tables.get(section, {}), **table}
        return tables

    def file(self, process: str, **changed: Table) -> Path:
        path = self.folder / f"{process}.toml"
        path.write_text(to_toml(self.settings(process, **changed)))
        return path

    def run(self, *words: str, user: str | None = None, **changed: Table) -> Ran:
        """A command, as the user of its name."""
        began = time.monotonic()
        path = str(self.file(user or words[0], **changed))
        done = CliRunner().invoke(app, [*words], env={FILE_VARIABLE: path}, catch_exceptions=True)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ran(done.exit_code, done.output, time.monotonic() - began)

    def ran(self, *words: str, **options: Any) -> Ran:  # noqa: ANN401 run's
        """The same. It must succeed."""
        done = self.run(*words, **options)
        assert 0 == done.status, done.said
        return done

    def start(self, process: str, **changed: Table) -> Child:
        self.started += 1
        environ = {FILE_VARIABLE: str(self.file(process, **changed))}
        program = Program(f"{process}-{self.started}", own_command(process), environ)
        return self.children.start(program)

    def kill(self, child: Child) -> None:
        os.kill(child.pid, signal.SIGKILL)
        self.children.forget(child)

    def get(self, process: str, path: str, token: str | None = None) -> tuple[int, Any]:
        """Status and JSON of a reply; 0 where nothing answers."""
        return self.send(process, path, token)

    def send(
        self, process: str, path: str, token: str | None = None, body: object = None, **headers: str
    ) -> tuple[int, Any]:
        section, _ = LISTEN[process]
        url = f"http://127.0.0.1:{self.ports[section]}{path}"
        sent = {"authorization": f"Bearer {token}"} if token else {}
        sent |= {"content-type": "application/json"} if body is not None else {}
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {**sent, **headers})
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 http
                return reply.status, json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")
        except OSError:
            return 0, None

    def until_ready(self, *processes: str) -> None:
        for process in processes:
            until(lambda process=process: self.get(process, "/readyz")[0] == 200, self.said)  # type: ignore[misc]

    def said(self) -> str:
        """The end of each log."""
        logs = sorted((self.folder / "logs").glob("*.log"))
        return "\n".join(f"{one.name}:\n{last_lines(one)}" for one in logs)


def until(holds: Callable[[], bool], what: Callable[[], str], seconds: float = PATIENCE_SECONDS) -> None:
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up, what()
        time.sleep(0.02)


@contextmanager
def secured_system(
    folder: Path,
    name: str,
    mongo: SecuredMongo,
    kafka: Callable[[str], Table],
    known: Known = "password",
    changed: Mapping[str, Table] = {},
) -> Iterator[SecuredSystem]:
    """Nothing is started yet. All is stopped at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with Children(folder / "logs") as children:
        made = SecuredSystem(folder, name, mongo, kafka, known, children, changed, tokens=ensure_issuer(folder))
        try:
            yield made
        finally:
            children.kill_all()


def without_secrets(texts: Sequence[str], secrets: Sequence[str]) -> None:
    """No text holds a secret, plain or as it stands in a URI."""
    for text in texts:
        for secret in secrets:
            assert secret not in text
            assert quote_plus(secret) not in text
