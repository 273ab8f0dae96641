"""Reads compose.yaml, and starts its containers without an engine, on other servers and ports."""

import os
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ops.reference import ROOT
from tests.deploy.image.container import Container, Image
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers

FOLDER = ROOT / "deploy" / "compose"

USER = 65532


def compose() -> dict[str, Any]:
    """The document, with its anchors merged and with the defaults of its variables."""
    text = re.sub(r"\$\{(\w+):-([^}]*)\}", r"\2", (FOLDER / "compose.yaml").read_text())
    return dict(yaml.safe_load(text))


class Stack:
    """The services of compose.yaml that run tallymill, one by one. The volume `keys` is a folder."""

    def __init__(self, image: Image, servers: Servers, folder: Path) -> None:
        self._image = image
        self._folder = folder
        self._services = compose()["services"]
        name = f"test-{secrets.token_hex(6)}"
        self._here = {
            "TALLYMILL_KAFKA__BOOTSTRAP_SERVERS": servers.kafka,
            "TALLYMILL_KAFKA__RECORDS_TOPIC": name,
            "TALLYMILL_KAFKA__ANALYTICS_TOPIC": f"{name}-analytics",
            "TALLYMILL_KAFKA__GROUP": name,
            "TALLYMILL_KAFKA__PARTITIONS": "2",
            "TALLYMILL_MONGODB__URI": servers.mongodb,
            "TALLYMILL_MONGODB__DATABASE": name,
            "TALLYMILL_INGRESS__PORT": "0",
            "TALLYMILL_WORKER__METRICS_PORT": "0",
            "TALLYMILL_CONSOLE__PORT": "0",
            "TALLYMILL_CANARY__METRICS_PORT": "0",
        }
        self._keys = folder / "keys"
        self._keys.mkdir()
        os.chown(self._keys, USER, USER)  # an engine gives a new volume the owner that the folder has in the image
        self._running: list[Container] = []

    def run(self, service: str, *words: str) -> tuple[int, str, str]:
        """A service that ends, with its own command or with these words; exit status, output, errors."""
        options = self._options(service, {})
        return self._image.run(*(words or self._services[service]["command"]), **options)

    def start(self, service: str, **environment: str) -> Container:
        """A service that serves, once it listens."""
        log = self._folder / f"{service}.log"
        process = self._image.start(*self._services[service]["command"], **self._options(service, environment), log=log)
        container = Container(process, log)
        self._running.append(container)
        return container.listening()

    def ready(self, container: Container) -> None:
        """Wait as the health check of compose does: `tallymill probe` in a container."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while (ran := self._image.run("probe", f"{container.url}/readyz"))[0]:
            assert time.monotonic() < give_up, ran[2] + container.log.read_text()

    def kill(self) -> None:
        for container in self._running:
            container.process.kill()
            container.process.wait()

    def _options(self, service: str, environment: Mapping[str, str]) -> dict[str, Any]:
        own = self._services[service].get("environment", {})
        volumes = [self._volume(one) for one in self._services[service].get("volumes", [])]
        return {"environment": {**own, **self._here, **environment}, "volumes": dict(volumes)}

    def _volume(self, volume: str | dict[str, Any]) -> tuple[str, Path]:
        if isinstance(volume, str):
            source, _, target = volume.partition(":")
            return target, self._keys if source == "keys" else (FOLDER / source).resolve()
        assert "keys" == volume["source"]
        return volume["target"] + ":ro" * volume["read_only"], self._keys / volume["volume"]["subpath"]
