"""No secret is in what a process or command prints, nor in its command line or metrics, whatever goes wrong."""

import base64
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from ops.cli import app
from ops.config import load_settings, variable_of
from ops.local.servers.ports import any_free
from ops.local.servers.processes import own_command
from serving.kafka.oauth import Token
from serving.tokens.introspection import EndpointSettings
from tests.patience import PATIENCE_SECONDS
from tests.security.certificates import Authority
from tests.security.system import until
from tests.security.test_secrets import secrets

pytestmark = pytest.mark.slow

MARK: Final = "HiddenWord"

CLIENT: Final = "client"
BASIC: Final = base64.b64encode(f"{CLIENT}:{MARK}".encode()).decode()
"""How HTTP sends the mark as the secret of a client."""

PORTS: Final = {
    "ingress": "ingress.port",
    "worker": "worker.metrics_port",
    "console": "console.port",
    "canary": "canary.metrics_port",
}
# Those with a token ask the issuer, who is not there.
PATHS: Final = ("/readyz", "/v1/system", "/games/v1/eventDefinitions", "/signin", "/metrics")

COMMANDS: Final = (
    ("config",),
    ("config", "--json"),
    ("doctor",),
    ("init", "--json"),
    ("dead-letters", "list"),
    ("token", "--app", "demo", "--player", "ann"),
)


@pytest.fixture
def planted(tmp_path: Path) -> dict[str, Any]:
    """Settings by name: each secret has the mark, and no server is there."""
    nobody = f"127.0.0.1:{any_free()}"
    own = Authority(tmp_path / "own").issue(CLIENT, password=MARK)
    files = f"tls=true&tlsCertificateKeyFile={own.both}&tlsCertificateKeyFilePassword={MARK}"
    return {
        "kafka.bootstrap_servers": nobody,
        "kafka.security_protocol": "SASL_SSL",
        "kafka.sasl_mechanism": "OAUTHBEARER",
        "kafka.sasl_username": CLIENT,
        "kafka.sasl_password": MARK,
        "kafka.ssl_certfile": str(own.certfile),
        "kafka.ssl_keyfile": str(own.keyfile),
        "kafka.ssl_key_password": MARK,
        "kafka.oauth_token_url": f"http://{nobody}/token?key={MARK}",
        "kafka.oauth_client_id": CLIENT,
        "kafka.oauth_client_secret": MARK,
        "mongodb.uri": f"mongodb://{CLIENT}:{MARK}@{nobody}/?replicaSet=rs0&{files}",
        "signing.keys": json.dumps([f"{MARK} of sixteen characters"]),
        "tokens.issuer": "https://issuer.example",
        "tokens.audience": "tallymill",
        "tokens.introspection_url": f"http://{nobody}/introspect?key={MARK}",
        "tokens.introspection_client_id": CLIENT,
        "tokens.introspection_client_secret": MARK,
        "console.session_keys": json.dumps([f"{MARK} of sixteen characters"]),
        "console.public_url": "https://counts.example",
        "oidc.issuer": f"http://{nobody}",
        "oidc.client_id": CLIENT,
        "oidc.client_secret": MARK,
        "canary.token": MARK,
        "canary.url": f"http://{nobody}",
        "canary.interval_seconds": "0.2",
        "ingress.drain_seconds": "0",
        "console.drain_seconds": "0",
        **{name: str(any_free()) for name in PORTS.values()},
    }


def environ(values: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Secrets in a folder, the rest in variables. A proxy and an exporter have secrets of their own."""
    folder.mkdir(exist_ok=True)
    for name in secrets():
        (folder / name).write_text(values[name])
    given = {variable_of(name): value for name, value in values.items() if name not in secrets()}
    nobody = values["kafka.bootstrap_servers"]
    return {
        **given,
        "PATH": os.environ["PATH"],
        "TALLYMILL_SECRETS_DIR": str(folder),
        "TALLYMILL_DATA": str(folder.parent / "data"),
        "HTTP_PROXY": f"http://{CLIENT}:{MARK}@{nobody}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{nobody}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={MARK}",
    }


def shows(text: str) -> list[str]:
    return [line for line in text.splitlines() if MARK.lower() in line.lower() or BASIC in line]


@pytest.mark.parametrize("process", PORTS)
def test_a_process_without_servers_shows_no_secret(tmp_path: Path, planted: dict[str, str], process: str) -> None:
    """It starts, is asked with a token, reads a broken file of a secret at SIGHUP, and stops."""
    folder, log = tmp_path / "secrets", tmp_path / "log"
    port = planted[PORTS[process]]
    with log.open("wb") as printed:
        running = subprocess.Popen(own_command(process), env=environ(planted, folder), stdout=printed, stderr=printed)
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/livez") != "", log.read_text)
        told = [answers(f"http://127.0.0.1:{port}{path}") for path in PATHS]
        if process != "canary":
            until(lambda: "mongodb_lost" in log.read_text(), log.read_text)
        (folder / "signing.keys").write_text(f'["{MARK}"')
        os.kill(running.pid, signal.SIGHUP)
        until(lambda: "secrets_not_renewed" in log.read_text(), log.read_text)
        told.append(Path(f"/proc/{running.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(PATIENCE_SECONDS)
    told.append(log.read_text())
    assert "signing.keys" in told[-1], "the file that was broken is named"
    assert "Traceback" not in told[-1]
    assert [] == [line for text in told for line in shows(text)]


def answers(url: str) -> str:
    """The head and the body of an answer; empty if there is none."""
    asked = urllib.request.Request(url, headers={"authorization": f"Bearer {MARK}"})  # noqa: S310 of loopback
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 the same
            return f"{answer.headers}{answer.read().decode()}"
    except urllib.error.HTTPError as answer:
        return f"{answer.headers}{answer.read().decode()}"
    except OSError:
        return ""


def test_no_secret_is_in_the_repr_of_what_holds_it(tmp_path: Path, planted: dict[str, str]) -> None:
    """Which a debugger, or an assertion that fails, prints."""
    settings = load_settings(environ(planted, tmp_path / "secrets"))
    endpoint = EndpointSettings(planted["tokens.introspection_url"], CLIENT, SecretStr(MARK), 1, 1)
    found = {name: getattr(getattr(settings, name.partition(".")[0]), name.partition(".")[2]) for name in secrets()}
    assert [] == shows(f"{found!r} {endpoint!r} {Token(MARK, 0, 0)!r}")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_shows_no_secret(tmp_path: Path, planted: dict[str, str], words: Sequence[str]) -> None:
    """Neither one that works nor one without servers."""
    told = said(words, environ(planted, tmp_path / "secrets"))
    assert told
    assert [] == shows(told)


def said(words: Sequence[str], given: Mapping[str, str]) -> str:
    done = CliRunner().invoke(app, [*words], env=given)
    assert isinstance(done.exception, SystemExit | None)
    return done.output


def test_secrets_that_can_t_be_used_are_not_shown(tmp_path: Path, planted: dict[str, str]) -> None:
    """Each setting is named with its file."""
    told = said(
        ("config",), environ(planted | {name: f"{planted[name]}\0" for name in secrets()}, tmp_path / "secrets")
    )
    assert [] == [name for name in secrets() if f"{name}: the file {tmp_path / 'secrets' / name} is" not in told]
    assert [] == shows(told)
