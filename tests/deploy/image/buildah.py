"""buildah, which builds the image without an engine: the one on PATH, or Debian's in the cache folder.

`python -m tests.deploy.image.buildah` downloads the package and those of its libraries that the machine lacks, and
unpacks them there. Nothing is installed. apt checks packages by the signatures of the distribution. `make test` runs it
first.
"""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ops.local.downloads.complete import FETCH_SECONDS, FetchError, run, whole_or_absent
from ops.local.servers.paths import cache_folder
from ops.output import EXIT_OK, EXIT_WRONG, complain

PACKAGE = "buildah"
ANSWER_SECONDS = 60
BUILD_SECONDS = 900

# Without a registry there is nothing to verify.
POLICY = {"default": [{"type": "insecureAcceptAnything"}]}


class NotBuilt(Exception):
    """A command of buildah failed."""


@dataclass(frozen=True, slots=True)
class Program:
    """Where buildah is. `libraries`: those that the machine lacks.

    buildah starts itself again without variables. So LD_LIBRARY_PATH is no way to find them. They are mounted over
    /usr/lib, where no other process sees them.
    """

    path: str
    libraries: Path | None = None

    def command(self, *words: str) -> list[str]:
        own = [self.path, *words]
        if self.libraries is None:
            return own
        mount = f"mount -t overlay -o lowerdir={self.libraries}:/usr/lib overlay /usr/lib"
        return ["unshare", "--mount", "/bin/sh", "-c", f"{mount} && exec {shlex.join(own)}"]

    def works(self) -> bool:
        return run(self.command("--version"), ANSWER_SECONDS).returncode == 0


def home() -> Path:
    return cache_folder() / "buildah-debian"


def buildah() -> Program:
    """The program, downloaded if it is missing. Raises FetchError."""
    for found in _installed():
        if found.works():
            return found
    shutil.rmtree(home(), ignore_errors=True)  # it may lack a library that the machine had when it was downloaded
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise FetchError(f"{PACKAGE} is missing, and there is no apt-get. Put it on PATH")
    complain("Downloading buildah (8 MB)")
    with whole_or_absent(home()) as new:
        _download(new)
    for found in _installed():
        if found.works():
            return found
    raise FetchError(f"Debian's package of {PACKAGE} does not work on this machine")


def _installed() -> Iterator[Program]:
    if on_path := shutil.which(PACKAGE):
        yield Program(on_path)
    if (unpacked := home() / "usr" / "bin" / PACKAGE).exists():
        yield Program(str(unpacked), home() / "usr" / "lib")


def _download(new: Path) -> None:
    """A fresh machine knows no packages before `apt-get update`, which only root can run."""
    (archives := new / "archives" / "partial").mkdir(parents=True)
    options = ["-qq", "--yes", "--no-install-recommends", "-o", "Debug::NoLocking=1"]
    options += ["-o", f"Dir::Cache::archives={archives.parent}"]
    download = ["apt-get", "install", "--download-only", *options, PACKAGE]
    ran = run(download, FETCH_SECONDS, folder=new)
    if ran.returncode and os.geteuid() == 0:
        run(["apt-get", "update", "-qq"], FETCH_SECONDS)
        ran = run(download, FETCH_SECONDS, folder=new)
    if ran.returncode:
        raise FetchError(f"{' '.join(download)} failed:\n{ran.stderr.strip()}")
    for package in archives.parent.glob("*.deb"):
        run(["dpkg-deb", "--extract", str(package), str(new)], FETCH_SECONDS)
    shutil.rmtree(archives.parent)


@dataclass(frozen=True, slots=True)
class Builder:
    """buildah with a store of its own in `folder`. `cache`: the folders of RUN --mount=type=cache, for later runs."""

    program: Program
    folder: Path
    cache: Path

    def build(self, name: str, dockerfile: Path, context: Path, *options: str) -> None:
        """Each RUN is a process of this machine, in a root file system of its own."""
        self.cache.mkdir(parents=True, exist_ok=True)
        (policy := self.folder / "policy.json").write_text(json.dumps(POLICY))
        fixed = ["--quiet", "--isolation=chroot", f"--signature-policy={policy}", f"--file={dockerfile}"]
        self._run("build", *fixed, f"--tag={name}", *options, str(context))

    def config(self, name: str) -> "Config":
        return Config.read(self._run("inspect", "--type=image", name))

    def _run(self, command: str, *words: str) -> str:
        store = [f"--root={self.folder / 'store'}", f"--runroot={self.folder / 'run'}"]
        ran = run(self.program.command(*store, command, *words), BUILD_SECONDS, {"TMPDIR": str(self.cache)})
        if ran.returncode:
            raise NotBuilt(f"buildah {command} failed:\n{ran.stdout}{ran.stderr}")
        return ran.stdout


@dataclass(frozen=True, slots=True)
class Config:
    """What an image says of its processes."""

    user: str
    folder: str
    environment: dict[str, str]
    labels: dict[str, str]
    ports: list[int]
    stop_signal: str
    entrypoint: list[str]
    command: list[str]

    @classmethod
    def read(cls, inspected: str) -> "Config":
        found = json.loads(inspected)["OCIv1"]["config"]
        return cls(
            user=found["User"],
            folder=found["WorkingDir"],
            environment=dict(one.split("=", 1) for one in found["Env"]),
            labels={name: value for name, value in found["Labels"].items() if not name.startswith("io.buildah.")},
            ports=sorted(int(port.removesuffix("/tcp")) for port in found["ExposedPorts"]),
            stop_signal=found["StopSignal"],
            entrypoint=found["Entrypoint"],
            command=found["Cmd"],
        )


def _main() -> int:
    try:
        buildah()
    except FetchError as error:
        complain(str(error))
        return EXIT_WRONG
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(_main())
