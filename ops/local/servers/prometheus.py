"""The local Prometheus of `up --observe`: the one on PATH, or the programs of Debian's package in the cache folder.

`python -m ops.local.servers.prometheus` downloads the package and unpacks it there. Nothing is installed, so no service
starts. apt checks the package by the signatures of the distribution.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ops.local.downloads.complete import FETCH_SECONDS, FetchError, exit_status, whole_or_absent
from ops.local.servers.paths import cache_folder
from ops.local.servers.ports import LOOPBACK
from ops.local.servers.processes import Program
from ops.output import complain

USUAL_PORT = 9090
STOP_SECONDS = 15

# A local system is observed for hours, not months.
MAX_STORED = "512MB"

PACKAGE = "prometheus"

MISSING = (
    "Prometheus is not installed. `--observe` needs it. Run one of these, then try again:\n"
    "    {python} -P -m ops.local.servers.prometheus    (on Debian and Ubuntu: downloads it into the cache folder)\n"
    "    sudo apt-get install prometheus    (also starts a service on port 9090)\n"
    "On other systems, put `prometheus` on PATH"
)


@dataclass(frozen=True, slots=True)
class PrometheusFiles:
    """The programs. `assets`: the files of the web interface, where the program does not find them itself."""

    prometheus: str
    promtool: str
    assets: Path | None = None


def home() -> Path:
    return cache_folder() / "prometheus-debian"


def installed() -> PrometheusFiles | None:
    """Where Prometheus is. None if it is missing."""
    programs = shutil.which("prometheus"), shutil.which("promtool")
    if programs[0] and programs[1]:
        return PrometheusFiles(programs[0], programs[1])
    usr = home() / "usr"
    if not (usr / "bin" / "prometheus").exists():
        return None
    return PrometheusFiles(
        str(usr / "bin" / "prometheus"), str(usr / "bin" / "promtool"), usr / "share" / "prometheus" / "web"
    )


def missing_text() -> str:
    """What to do where it is missing."""
    return MISSING.format(python=sys.executable)


def fetch() -> PrometheusFiles:
    """Prometheus, downloaded if it is missing. Raises FetchError."""
    if found := installed():
        return found
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise FetchError(f"{PACKAGE} is missing, and there is no apt-get. Put it on PATH")
    complain("Downloading Prometheus (19 MB)")
    with whole_or_absent(home()) as new:
        _download(new)
        (package,) = new.glob("*.deb")
        _run(["dpkg-deb", "--extract", str(package), str(new)], new)
        package.unlink()
    found = installed()
    if found is None:
        raise FetchError("Debian's package of Prometheus does not hold the programs")
    return found


def _download(folder: Path) -> None:
    """A fresh machine knows no packages before `apt-get update`, which only root can run."""
    download = ["apt-get", "download", "-qq", PACKAGE]
    try:
        _run(download, folder)
    except FetchError:
        if os.geteuid() != 0:
            raise
        _run(["apt-get", "update", "-qq"], folder)
        _run(download, folder)


def _run(command: list[str], folder: Path) -> None:
    ran = subprocess.run(  # noqa: S603 the commands are ours
        command, cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
    )
    if ran.returncode:
        raise FetchError(f"{' '.join(command)} failed:\n{ran.stderr.strip()}")


def prometheus_program(files: PrometheusFiles, config: Path, data: Path, port: int) -> Program:
    """It listens on loopback, and keeps its data in this folder."""
    options = [
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        f"--storage.tsdb.retention.size={MAX_STORED}",
        f"--web.listen-address={LOOPBACK}:{port}",
        "--log.level=warn",
        # An exemplar leads from a bucket of a histogram to the record in it.
        "--enable-feature=exemplar-storage",
    ]
    if files.assets:
        options.append(f"--web.local-assets={files.assets}")
    return Program("prometheus", (files.prometheus, *options), stop_seconds=STOP_SECONDS)


if __name__ == "__main__":
    sys.exit(exit_status(fetch))
