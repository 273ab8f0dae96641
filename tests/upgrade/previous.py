"""The previous release, as the programs of a test: its code lies in previous.tar.xz, without its tests and documents.

It is commit 5bba4d1 of 2026-11-28, before the canary, the observer and the live page. It is the oldest whose database
this version reads. When a newer release takes its place:

    git archive COMMIT schemas serving ingress consumer console ops | tar x -C FOLDER && cd FOLDER
    find . -name "*.py" -o -name "*.json" -o -name "*.png" | sort | tar cf - -T - | xz -9e > previous.tar.xz
"""

import tarfile
from dataclasses import replace
from pathlib import Path

from tests.faults.cluster.stage.system import ROOT, Process

ARCHIVE = Path(__file__).parent / "previous.tar.xz"


def previous_release(folder: Path) -> Path:
    """A folder with its packages."""
    code = folder / "previous"
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(code, filter="data")
    return code


def runs(process: Process, code: Path = ROOT) -> None:
    """From its next start on, this process runs the code of this folder."""
    process.program = replace(process.program, environ={**process.program.environ, "PYTHONPATH": str(code)})
