"""Quix Streams in an environment of its own in the cache folder, installed when it is first measured."""

import shutil
import subprocess
import sys
from pathlib import Path

from bench.place import Place
from ops.config import Settings
from ops.local.downloads.complete import FETCH_SECONDS, FetchError
from ops.local.downloads.wheels import uv_file
from ops.local.servers.paths import cache_folder, cached
from ops.local.servers.processes import Program
from ops.output import complain

PIN = Path(__file__).parent.parent.parent / "deploy" / "bench" / "quix.txt"
SCRIPT = Path(__file__).parent / "quix.py"
STOP_SECONDS = 30


def python() -> str:
    """The interpreter of its environment, made if it is missing. Raises FetchError."""
    home = cached(cache_folder(), "quix", PIN)
    interpreter = home / "bin" / "python"
    # Written last: an environment can't be made elsewhere and renamed, as its scripts name their folder.
    complete = home / "complete"
    if not complete.exists():
        complain("Installing Quix Streams (60 MB)")
        shutil.rmtree(home, ignore_errors=True)
        _uv("venv", "--python", sys.executable, str(home))
        _uv("pip", "install", "--python", str(interpreter), "--require-hashes", "--requirement", str(PIN))
        complete.touch()
    return str(interpreter)


def _uv(*words: str) -> None:
    try:
        ran = subprocess.run(  # noqa: S603 the command is ours
            [uv_file(), *words], capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchError(f"Quix Streams could not be installed: {error}") from error
    if ran.returncode:
        raise FetchError(f"Quix Streams could not be installed: {ran.stderr.strip()}")


def program(place: Place, settings: Settings, number: int) -> Program:
    """One process of it, with a state of its own."""
    name = f"quix-{number}"
    environ = {
        "BENCH_KAFKA": place.kafka,
        "BENCH_TOPIC": settings.kafka.records_topic,
        "BENCH_GROUP": settings.kafka.group,
        "BENCH_MONGODB": place.mongodb,
        "BENCH_DATABASE": settings.mongodb.database,
        "BENCH_STATE": str(place.folder / settings.mongodb.database / name),
    }
    return Program(name, (python(), str(SCRIPT)), environ, STOP_SECONDS)
