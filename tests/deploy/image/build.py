"""Makes the root file system of the image without an engine: it carries out the steps of the Dockerfile.

The base image can't be downloaded where there is no registry. The machine takes its place: its /usr is mounted
read-only, and its interpreter at /usr/local, where python:slim has its own. Each RUN runs as root with that as its root
file system. So a step that needs anything of the checkout, or of the home folder, fails as it does in an engine.
"""

import contextlib
import hashlib
import itertools
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.reference import ROOT
from tests.deploy.image.dockerfile import Copy, Run, Stage, context

# What a step may know of the machine: how packages are downloaded.
DOWNLOAD_VARIABLES = ("PIP_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "UV_INDEX")

STEP_SECONDS = 600

# What of /etc an engine or the base image gives a container.
ETC = ("resolv.conf", "hosts", "nsswitch.conf", "ssl", "ca-certificates", "ld.so.conf", "ld.so.conf.d", "pip.conf")

INTERPRETER = "/usr/local"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Without it an interpreter that is not the system's may find the system's libpython.
BASE = Run("/usr/sbin/ldconfig", ())


class NotBuilt(Exception):
    """A step failed."""


class NotAllowed(NotBuilt):
    """The machine allows no mount namespace."""


@dataclass(frozen=True, slots=True)
class RootFolder:
    """The root file system of one stage. `local` is what differs from the machine's interpreter."""

    path: Path
    local: Path

    @classmethod
    def new(cls, folder: Path) -> "RootFolder":
        """Like the base image, before the first step."""
        root = cls(folder / "root", folder / "local")
        for name in ("etc", "proc", "dev", "tmp", "usr", "opt", "var/lib", "cache"):
            (root.path / name).mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib32", "lib64"):  # links to usr/..., on every Debian
            if Path("/", name).is_symlink():
                (root.path / name).symlink_to(Path("/", name).readlink())
        for name in ETC:
            source, target = Path("/etc", name), root.path / "etc" / name
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True)
            elif source.exists():
                shutil.copyfile(source, target)
        for name in ("upper", "work", "system", "site-packages/pip"):
            (root.local / name).mkdir(parents=True)
        (root.local / "site-packages" / "pip" / "__main__.py").write_text("print('pip of the base image')\n")
        return root

    def mounts(self, *, read_only: bool = False) -> Iterator[str]:
        """Shell lines that mount what the stage shares with the machine."""
        yield f"mount --bind -o ro /usr {self.path}/usr"
        yield from self._interpreter(read_only=read_only)
        yield f"mount --rbind /proc {self.path}/proc"
        yield f"mount --rbind /dev {self.path}/dev"

    def _interpreter(self, *, read_only: bool) -> Iterator[str]:
        """python:slim has its interpreter in /usr/local, with a folder `lib` that a step may change."""
        where, lower = f"{self.path}{INTERPRETER}", sys.base_prefix
        library = f"{where}/lib/python{sysconfig.get_python_version()}"
        option = "ro" if read_only else "rw"
        if lower == "/usr":  # the system's own
            system = self.local / "system"
            for folder in ("bin", f"lib/{Path(library).name}"):
                (system / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy2("/usr/bin/python3", system / "bin" / "python3")
            yield f"mount --bind -o {option} {system} {where}"
            where, lower = library, f"/usr/lib/{Path(library).name}"
        own = f"{self.local}/upper"
        layers = (
            f"lowerdir={own}:{lower}" if read_only else f"lowerdir={lower},upperdir={own},workdir={self.local}/work"
        )
        yield f"mount -t overlay -o {layers} overlay {where}"
        # Not the machine's packages: the base image has pip and no more.
        if not read_only:
            yield f"mkdir -p {library}/site-packages"
        yield f"mount --bind -o {option} {self.local}/site-packages {library}/site-packages"


def namespace() -> list[str]:
    """The command that starts another one with mounts of its own. Raises NotAllowed."""
    way = ["unshare", "--mount"]
    if os.geteuid():
        way += ["--user", "--map-root-user", "--map-auto"]
    tried = subprocess.run([*way, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True, check=False)
    if tried.returncode:
        raise NotAllowed(f"this machine allows no mount namespace, so the image is not checked: {tried.stderr.strip()}")
    return way


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds stages in a folder. `caches` are the machine's own, by their folder in RUN. `layers` outlives a run."""

    folder: Path
    caches: Mapping[str, Path]
    layers: Path

    def build(self, stages: Sequence[Stage]) -> RootFolder:
        """Carry out all steps; the root file system of the last stage."""
        made: dict[str | None, RootFolder] = {}
        for number, stage in enumerate(stages):
            root = made[stage.name] = RootFolder.new(self.folder / str(number))
            _run(root, stage, "/", BASE, self.caches)
            done = self._stored(stage, root)
            for where, step in stage.steps[done:]:
                match step:
                    case Run():
                        _run(root, stage, where, step, self.caches)
                    case Copy():
                        _copy(root, where, step, made[step.stage] if step.stage else None)
        return root

    def _stored(self, stage: Stage, root: RootFolder) -> int:
        """Carry out the steps before all of the context is copied, or take what an earlier run has stored of them.

        As an engine does with its layers: the downloaded packages do not change with tallymill's code. Returns how many
        steps that were.
        """
        steps = list(
            itertools.takewhile(lambda one: not (isinstance(one[1], Copy) and one[1].source == "."), stage.steps)
        )
        if len(steps) == len(stage.steps):
            return 0
        layer = self.layers / _key(stage, steps)
        if layer.exists():
            shutil.rmtree(root.path)
            _links(layer, root.path)
            return len(steps)
        for where, step in steps:
            if isinstance(step, Run):
                _run(root, stage, where, step, self.caches)
            else:
                _copy(root, where, step, None)
        self.layers.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(new := Path(f"{layer}.{os.getpid()}"), ignore_errors=True)
        _links(root.path, new)
        with contextlib.suppress(OSError):  # another run was quicker
            new.rename(layer)
        return len(steps)


def _key(stage: Stage, steps: Sequence[tuple[str, Run | Copy]]) -> str:
    files = [(ROOT / step.source).read_bytes() for _, step in steps if isinstance(step, Copy)]
    return hashlib.sha256(repr((sys.version, stage.environment, steps, files)).encode()).hexdigest()[:16]


def _links(source: Path, target: Path) -> None:
    """Copy a folder: hard links where that is possible. uv and pip replace files, and change none."""
    for way in ("--link", "--reflink=auto"):
        command = ["cp", "--archive", "--no-target-directory", way, str(source), str(target)]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return
        shutil.rmtree(target, ignore_errors=True)
    raise NotBuilt(f"{source} can't be copied to {target}")


def _copy(root: RootFolder, where: str, step: Copy, stage: RootFolder | None) -> None:
    target = root.path / os.path.join(where, step.target).removeprefix("/")  # noqa: PTH118 an absolute path replaces
    target.parent.mkdir(parents=True, exist_ok=True)
    if stage:
        shutil.copytree(stage.path / step.source.removeprefix("/"), target, symlinks=True)
        return
    for path in context(ROOT):
        if step.source == ".":
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, target / path)
        elif path == step.source:
            shutil.copy2(ROOT / path, target)


def _run(root: RootFolder, stage: Stage, where: str, step: Run, caches: Mapping[str, Path]) -> None:
    (root.path / where.removeprefix("/")).mkdir(parents=True, exist_ok=True)
    lines = ["set -e", *root.mounts()]
    for cache in step.caches:
        (root.path / cache.removeprefix("/")).mkdir(parents=True, exist_ok=True)
        caches[cache].mkdir(parents=True, exist_ok=True)
        lines.append(f"mount --bind {caches[cache]} {root.path}{cache}")
    environment = {"PATH": PATH, "HOME": "/tmp", **stage.environment}  # noqa: S108 its own
    environment |= {name: value for name, value in os.environ.items() if name.startswith(DOWNLOAD_VARIABLES)}
    inside = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in environment.items())]
    inside += ["/bin/sh", "-c", f"cd {where} && {step.command}"]
    ran = subprocess.run(
        [*namespace(), "/bin/sh", "-c", "\n".join([*lines, f"exec chroot {root.path} {shlex.join(inside)}"])],
        env={"PATH": PATH},
        capture_output=True,
        text=True,
        timeout=STEP_SECONDS,
        check=False,
    )
    if ran.returncode:
        raise NotBuilt(f"RUN {step.command}\n{ran.stdout}{ran.stderr}")
