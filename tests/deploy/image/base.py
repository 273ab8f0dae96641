"""A base image made of the machine, for places without a registry: its interpreter, where python:slim has its own.

The rest of the machine that a step or a process needs is mounted read-only from it: programs, libraries, certificates.
"""

import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

# What a step may know of the machine: how packages are downloaded.
DOWNLOAD_VARIABLES = ("PIP_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "UV_INDEX")

# The base image has pip, and no other package.
LEFT_OUT = ("site-packages", "dist-packages", "test", "__pycache__")

MACHINE = ("usr/bin", "usr/sbin", "usr/lib", "usr/lib32", "usr/lib64", "usr/share", "etc/ssl")


def shared() -> Iterator[str]:
    """The folders of the machine that are mounted."""
    return (f"/{name}" for name in MACHINE if Path("/", name).is_dir())


def environment() -> dict[str, str]:
    """The base image's variables. Without the first an interpreter may load the system's libpython."""
    downloads = {name: value for name, value in os.environ.items() if name.startswith(DOWNLOAD_VARIABLES)}
    return {"LD_LIBRARY_PATH": "/usr/local/lib", **downloads}


def write_base(folder: Path) -> Path:
    """A build context in this folder. Returns its Dockerfile."""
    root = folder / "root"
    version = f"python{sysconfig.get_python_version()}"
    source, library = Path(sys.base_prefix, "lib"), root / "usr" / "local" / "lib"
    shutil.copytree(source / version, library / version, symlinks=True, ignore=_left_out)
    for file in source.glob("libpython*.so*"):
        shutil.copy2(file, library / file.name, follow_symlinks=False)
    for name in (
        "usr/local/bin",
        "opt",
        "var/lib",
        "tmp",
        "proc",
        "dev",
        *(name.removeprefix("/") for name in shared()),
    ):
        (root / name).mkdir(parents=True)
    shutil.copy2(Path(sys.executable).resolve(), root / "usr" / "local" / "bin" / "python3")
    pip = library / version / "site-packages" / "pip"
    pip.mkdir(parents=True)
    (pip / "__main__.py").write_text("print('pip of the base image')\n")
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):  # links to usr/..., on every Debian
        if Path("/", name).is_symlink():
            (root / name).symlink_to(Path("/", name).readlink())
    dockerfile = folder / "Dockerfile"
    pairs = " ".join(f"{name}={json.dumps(value)}" for name, value in environment().items())
    dockerfile.write_text(f"FROM scratch\nCOPY root /\nENV {pairs}\n")
    return dockerfile


def _left_out(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name in LEFT_OUT or name.startswith("config-")]
