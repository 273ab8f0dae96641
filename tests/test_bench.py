"""The programs of bench/ can be imported, and every module that they or a page start by name exists.

No server runs here. `python -m bench.drain` and the others measure.
"""

import ast
import importlib
import re
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import pytest

from ops.config import Settings
from ops.file_map import PACKAGES, ROOT
from ops.local.servers.processes import Children
from tests.test_habits import files_of_the_repository

# Runs in an environment of its own, and imports nothing of this project.
ELSEWHERE = ROOT / "bench" / "rivals" / "quix.py"
FILES = sorted({*(ROOT / "bench").rglob("*.py")} - {ELSEWHERE})
MODULE = re.compile(rf"({'|'.join((*PACKAGES, 'tests', 'bench'))})(\.[a-z_]+)+")
STARTED = re.compile(rf"-m ({MODULE.pattern})\b")


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def exists(name: str) -> bool:
    """Whether there is such a module. The folder of a module that moved may be gone too."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("name", [module_of(file) for file in FILES])
def test_a_program_of_bench_can_be_imported(name: str) -> None:
    """With all that it imports from the packages."""
    assert ELSEWHERE.exists()
    importlib.import_module(name)


def test_every_module_that_bench_names_in_a_text_exists() -> None:
    """The rivals that are started as processes of their own."""
    trees = [ast.parse(file.read_text()) for file in FILES]
    texts = [one.value for tree in trees for one in ast.walk(tree) if isinstance(one, ast.Constant)]
    named = {text for text in texts if isinstance(text, str) and text.startswith("bench.") and MODULE.fullmatch(text)}
    assert len(named) > 4
    assert [] == [name for name in sorted(named) if not exists(name)]


def test_every_subject_of_the_ingress_is_a_module_with_an_app(tmp_path: Path) -> None:
    """Rivals are started through bench/rivals/serve.py, which imports them by name."""
    from bench.ingress import RIVALS, server_program  # noqa: PLC0415 FastAPI, which one process of a test run imports
    from bench.place import Place  # noqa: PLC0415 the same

    place = Place("127.0.0.1:9092", "mongodb://127.0.0.1", 0, tmp_path, cast("Children", None))
    commands = [server_program(place, Settings(), subject, 1).command for subject in RIVALS]
    assert {"bench.rivals.serve"} == {command[2] for command in commands}
    assert all(callable(importlib.import_module(command[3]).app) for command in commands)


def test_every_module_that_a_command_line_names_exists() -> None:
    """`python -m ...` in pages, docstrings and the Makefile."""
    texts = [file.read_bytes().decode(errors="replace") for file in files_of_the_repository()]
    named = {found[1] for text in texts for found in STARTED.finditer(text)}
    assert {"bench.drain", "ops.reference", "schemas.openapi.export"} <= named
    assert [] == [name for name in sorted(named) if not exists(name)]
