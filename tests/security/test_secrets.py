"""The table of secrets in docs/security.md is that of the code: every secret is in it, and whether SIGHUP suffices."""

import re
from pathlib import Path
from typing import Final

from ops.config import Settings
from serving.kafka.credentials import RENEWED
from tests.security.kafka_rights import PAGE

ROOT: Final = Path(__file__).parents[2]
SERVERS: Final = ("ingress/server.py", "consumer/server.py", "console/server.py", "ops/canary/server.py")
RENEWING: Final = (*SERVERS, "serving/reload/servers.py")

# Settings whose value is the name of a file with a key.
FILES: Final = {"kafka.ssl_keyfile", "tokens.session_key", "tokens.private_key"}


def table() -> dict[str, str]:
    """What to do when a secret has changed, by setting."""
    section = PAGE.read_text().partition("test_secrets.py")[2].partition("\n\n")[0]
    return dict(re.findall(r"^\| `([\w.]+)` \| .+ \| (.+) \|$", section, re.MULTILINE))


def secrets() -> set[str]:
    return {
        f"{section}.{name}"
        for section, part in Settings.model_fields.items()
        for name, field in getattr(part.annotation, "model_fields", {}).items()
        if "SecretStr" in str(field.annotation)
    }


def renewed() -> set[str]:
    """The settings that a process renews: the names in the files that say so to its Reload."""
    found = {f"kafka.{name}" for name in RENEWED}
    for file in RENEWING:
        found |= set(re.findall(r'"([a-z]+\.[a-z_]+)"', (ROOT / file).read_text())) & secrets()
    return found


def test_every_secret_is_in_the_table() -> None:
    assert secrets() | FILES == set(table())


def test_the_table_says_whether_sighup_suffices() -> None:
    assert secrets() & renewed() == {name for name, what in table().items() if what.startswith("SIGHUP")}
    assert secrets() <= renewed(), "a secret that needs a restart: say so in the table, and here"


def test_every_process_is_asked() -> None:
    """A new process that reads secrets again is in the list above."""
    calling = {
        str(path.relative_to(ROOT))
        for folder in ("ingress", "consumer", "console", "ops", "serving")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"reload\.renews", path.read_text())
    }
    assert set(RENEWING) == calling
