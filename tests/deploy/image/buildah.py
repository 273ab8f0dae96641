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

# Three times of what the images need.
STORE_SIZE = "3g"

# Without a registry there is nothing to verify.
POLICY = {"default": [{"type": "insecureAcceptAnything"}]}


class NotBuilt(Exception):
    """buildah failed. The message is what it said."""


@dataclass(frozen=True, slots=True)
class Program:
    """Where buildah is. `libraries`: those that the machine lacks.

    buildah starts itself again without variables. So LD_LIBRARY_PATH is no way to find them. They are mounted over
    /usr/lib, where no other process sees them.
    """

    path: str
    libraries: Path | None = None

    def mounts(self) -> list[str]:
        """Shell lines for a namespace of its own."""
        if self.libraries is None:
            return []
        return [f"mount -t overlay -o lowerdir={self.libraries}:/usr/lib overlay /usr/lib"]

    def works(self) -> bool:
        return run(namespace([*self.mounts(), f"{self.path} --version"]), ANSWER_SECONDS).returncode == 0


def namespace(lines: list[str]) -> list[str]:
    """The command that carries out shell lines with mounts of its own. They end with it."""
    return ["unshare", "--mount", "/bin/sh", "-e", "-c", "\n".join(lines)]


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
class Build:
    """One image. `options`: as buildah has them."""

    name: str
    dockerfile: Path
    context: Path
    options: tuple[str, ...] = ()


def build(program: Program, folder: Path, cache: Path, *images: Build) -> "Config":
    """Build images, one after the other; what the last says of itself.

    Each RUN is a process of this machine, in a root file system of its own. The images are in memory, and gone at the
    end: on a disk it takes twice as long. `cache` has the folders of RUN --mount=type=cache, for later runs.
    """
    cache.mkdir(parents=True, exist_ok=True)
    store, policy = folder / "store", folder / "policy.json"
    store.mkdir()
    policy.write_text(json.dumps(POLICY))
    command = [program.path, f"--root={store / 'root'}", f"--runroot={store / 'run'}"]
    fixed = ["build", "--quiet", "--isolation=chroot", f"--signature-policy={policy}"]
    lines = [*program.mounts(), f"mount -t tmpfs -o size={STORE_SIZE} none {store}"]
    for image in images:
        own = [f"--file={image.dockerfile}", f"--tag={image.name}", *image.options, str(image.context)]
        lines.append(shlex.join([*command, *fixed, *own]) + " >&2")
    lines.append(shlex.join([*command, "inspect", "--type=image", images[-1].name]))
    ran = run(namespace(lines), BUILD_SECONDS, {"TMPDIR": str(cache)})
    if ran.returncode:
        raise NotBuilt(ran.stdout + ran.stderr)
    return Config.read(ran.stdout)


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
    if os.geteuid():
        complain("The image is not built: that takes mounts, which only root may make")
        return EXIT_OK
    try:
        buildah()
    except FetchError as error:
        complain(str(error))
        return EXIT_WRONG
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(_main())
