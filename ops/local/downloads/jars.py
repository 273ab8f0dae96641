"""Kafka's jars, each pinned by its SHA-256.

1. Those of Maven's local repository are copied, if it has all: no network is needed.
2. Otherwise a client of Maven repositories, itself a wheel, downloads them: no Maven and no Java is needed.
3. If that fails and there is a Maven, it downloads them: its settings may name a mirror that can be reached.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ops.local.downloads import maven_client
from ops.local.downloads.complete import FETCH_SECONDS, FetchError, run, whole_or_absent
from ops.local.downloads.wheels import Wheels, fetch_wheels
from ops.local.servers.paths import KAFKA_PIN, MAVEN_CLIENT_PIN, POM, cached
from ops.output import complain, progress_bar

MEGABYTES = 43
CLIENT = Wheels("the client of Maven repositories", MAVEN_CLIENT_PIN, 2)

COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

Pins = Mapping[str, str]


def pins(text: str) -> dict[str, str]:
    """SHA-256 by `group:artifact:version`."""
    lines = (line.split(" sha256:") for line in text.splitlines() if line and not line.startswith("#"))
    return dict(lines)


def file_name(coordinates: str) -> str:
    _, artifact, version = coordinates.split(":")
    return f"{artifact}-{version}.jar"


def in_repository(coordinates: str) -> Path:
    """Where a Maven repository has it."""
    group, artifact, version = coordinates.split(":")
    return Path(*group.split("."), artifact, version, file_name(coordinates))


def fetch_jars(home: Path, cache: Path) -> None:
    """Kafka's jars in a new folder. Raises FetchError."""
    wanted = pins(KAFKA_PIN.read_text())
    with whole_or_absent(home) as new:
        if copied(wanted, Path(os.path.expanduser("~/.m2/repository")), new):  # noqa: PTH111 it never raises
            return
        complain(f"Downloading Kafka ({MEGABYTES} MB)")
        try:
            _by_client(wanted, cache, new)
        except FetchError:
            if not (shutil.which("mvn") and _by_maven(new)):
                raise
        if wrong := differing(wanted, new):
            raise FetchError(f"Kafka's files have another content (SHA-256) than expected: {', '.join(wrong)}")


def copied(wanted: Pins, repository: Path, target: Path) -> bool:
    """Whether a local repository has every jar, with the right content: they are then in `target`."""
    files = {coordinates: repository / in_repository(coordinates) for coordinates in wanted}
    try:
        for coordinates, file in files.items():
            if sha256(file) != wanted[coordinates]:
                return False
        for file in files.values():
            shutil.copyfile(file, target / file.name)
    except OSError:
        return False
    return True


def differing(wanted: Pins, folder: Path) -> list[str]:
    """The jars of a folder that are missing, have another content, or are not wanted."""
    names = {file_name(coordinates): digest for coordinates, digest in wanted.items()}
    found = {file.name: sha256(file) for file in folder.iterdir()}
    return sorted(name for name in names.keys() | found.keys() if names.get(name) != found.get(name))


def sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _by_client(wanted: Pins, cache: Path, target: Path) -> None:
    client = cached(cache, "maven-client", MAVEN_CLIENT_PIN)
    if not client.exists():
        with whole_or_absent(client) as new:
            fetch_wheels(new, CLIENT)
    repository = target / "repository"
    command = [sys.executable, "-I", maven_client.__file__, str(client), str(repository)]
    with (
        progress_bar(" ", len(wanted)) as advance,
        subprocess.Popen(  # noqa: S603 our own program
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=target
        ) as process,
    ):
        try:
            problem = _followed(process, wanted, advance)
        finally:
            process.kill()
    if problem:
        raise FetchError(f"Kafka could not be downloaded: {problem}. Check the network, then try again")
    for coordinates in wanted:
        (repository / in_repository(coordinates)).rename(target / file_name(coordinates))
    shutil.rmtree(repository)


def _followed(process: "subprocess.Popen[str]", wanted: Pins, advance: Callable[[int], None]) -> str | None:
    """Hand the client its work and read what it says. Returns what went wrong."""
    if process.stdin is None or process.stdout is None:
        return "the client has no pipes"
    with process.stdin:
        process.stdin.write("\n".join(wanted))
    missing = len(wanted)
    for line in process.stdout:
        if line.startswith("!"):
            return line[1:].strip()
        advance(1)
        missing -= 1
    return "the client has stopped" if missing else None


def _by_maven(target: Path) -> bool:
    """It stands in the folder of the POM, because Maven reads options from `.mvn` where it stands."""
    shutil.rmtree(target / "repository", ignore_errors=True)
    command = ["mvn", "--batch-mode", "--strict-checksums", f"--file={POM}", COPY_JARS, f"-DoutputDirectory={target}"]
    # --update-snapshots: a download that failed once is tried again now, not tomorrow.
    return run([*command, "--update-snapshots"], FETCH_SECONDS, folder=POM.parent).returncode == 0
