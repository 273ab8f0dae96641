"""What the wheel holds: all that runs, and nothing that only a checkout needs."""

from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from ops.local.servers import paths
from tests.test_habits import FOLDERS, ROOT, files_of_the_repository

# Of deploy/: what `up` and its monitoring read.
SHIPPED = ("deploy/local", "deploy/prometheus", "deploy/grafana")


@pytest.fixture(scope="module")
def packed() -> set[Path]:
    return {Path(file.path).resolve() for file in WheelBuilder(str(ROOT)).recurse_included_files()}


def test_every_file_that_runs_is_in_the_wheel(packed: set[Path]) -> None:
    """Modules, the files of the page, images, pins and settings of the servers: whatever .gitignore says."""
    script = ROOT / "ops" / "bootstrap.sh"
    folders = [ROOT / name for name in (*FOLDERS, *SHIPPED)]
    files = {file for file in files_of_the_repository() if any(file.is_relative_to(folder) for folder in folders)}
    assert set() == {file.resolve() for file in files if file != script} - packed


def test_every_file_that_is_named_is_in_the_wheel(packed: set[Path]) -> None:
    """By the one module that knows where files are."""
    named = [value for value in vars(paths).values() if isinstance(value, Path) and value.is_file()]
    assert len(named) > 5
    assert set() == {file.resolve() for file in named} - packed


def test_nothing_else_is_in_the_wheel(packed: set[Path]) -> None:
    folders = [ROOT / name for name in (*FOLDERS, *SHIPPED)]
    assert set() == {str(file) for file in packed if not any(file.is_relative_to(folder) for folder in folders)}
