"""Runs commands in the image's root file system: read-only, as the image's user, without rights, as an engine would."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.deploy.image.base import shared
from tests.deploy.image.buildah import Config
from tests.patience import PATIENCE_SECONDS

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Image:
    """A built image: its root file system, and what it says of processes."""

    root: Path
    config: Config

    def command(self, words: list[str], environment: Mapping[str, str], volumes: Mapping[str, Path]) -> list[str]:
        """The command that runs `words` in a container. Its process is that of the words. Volumes: by `TARGET[:ro]`."""
        root = self.root
        user, _, group = self.config.user.partition(":")
        mounted = [(*target.partition(":")[::2], folder) for target, folder in volumes.items()]
        for target, _, source in mounted:
            point = root / target.removeprefix("/")
            (point if source.is_dir() else point.parent).mkdir(parents=True, exist_ok=True)
            if source.is_file():
                point.touch()
        lines = [
            "set -e",
            f"mount --bind {root} {root}",
            *(f"mount --bind -o ro {name} {root}{name}" for name in shared()),
            f"mount --rbind /proc {root}/proc",
            f"mount --rbind /dev {root}/dev",
            f"mount -t tmpfs -o mode=1777,nosuid,nodev none {root}/tmp",  # noqa: S108 its own
            *(f"mount --bind -o {mode or 'rw'} {folder} {root}{target}" for target, mode, folder in mounted),
            f"mount -o remount,bind,ro {root}",
        ]
        rights = ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--clear-groups"]
        inside = ["setpriv", f"--reuid={user}", f"--regid={group}", *rights, "env", "-i", "-C", self.config.folder]
        inside += [f"{name}={value}" for name, value in {**self.config.environment, **environment}.items()]
        lines.append(f"exec chroot {root} {shlex.join([*inside, *words])}")
        return ["unshare", "--mount", "/bin/sh", "-c", "\n".join(lines)]

    def start(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        volumes: Mapping[str, Path] | None = None,
        entrypoint: list[str] | None = None,
        log: Path | None = None,
    ) -> "subprocess.Popen[str]":
        """A container under way. Its log is a file, or else a pipe."""
        words = [*(self.config.entrypoint if entrypoint is None else entrypoint), *arguments]
        command = self.command(words, environment or {}, volumes or {})
        with contextlib.ExitStack() as stack:
            said = stack.enter_context(log.open("w")) if log else subprocess.PIPE
            return subprocess.Popen(
                command, env={"PATH": PATH}, stdin=subprocess.DEVNULL, stdout=said, stderr=said, text=True
            )

    def run(self, *arguments: str, **options: Any) -> tuple[int, str, str]:  # noqa: ANN401 as `start`
        """Exit status, standard output, standard error."""
        process = self.start(*arguments, **options)
        try:
            output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()
        return process.returncode, output, errors


@dataclass(slots=True)
class Container:
    """A process that serves."""

    process: "subprocess.Popen[str]"
    log: Path
    address: tuple[str, int] = field(default=("", 0))

    def listening(self) -> "Container":
        """Wait until it says where it listens."""
        event = self.says("listening")
        self.address = event["host"], event["port"]
        return self

    def says(self, event: str) -> dict[str, Any]:
        """The first such event of its log, as soon as it is there."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            for line in self.log.read_text().splitlines():
                if line.startswith("{") and (found := json.loads(line)).get("event") == event:
                    return dict(found)
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < give_up, self.log.read_text()
            time.sleep(0.05)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.address[1]}"

    def status(self) -> dict[str, str]:
        """What Linux says of the process: its user, its rights."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def written(self) -> list[str]:
        """What it has written: the files of its /tmp, the only place that it may write to."""
        folder = Path("/proc", str(self.process.pid), "root", "tmp")
        return [str(file.relative_to(folder)) for file in folder.rglob("*")]

    def stop(self) -> int:
        """SIGTERM, as an engine sends it; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)
