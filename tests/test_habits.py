"""Habits that no linter checks: short functions and files, one place that opens transactions, no local paths."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("schemas", "serving", "ingress", "consumer", "console", "ops")

MAX_FUNCTION_LINES = 50
MAX_FILE_LINES = 350

# Spelt in parts, or this file would be the first to fail. Addresses are the business of a machine's own settings.
PLACES = tuple(f"/{name}/" for name in ("work", "root"))
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("repo", "maven", "apache", "org"),
        ("repo1", "maven", "org"),
        ("registry", "npmjs", "org"),
    )
)
FORBIDDEN = (*PLACES, *REGISTRIES)


def files_of_the_repository() -> list[Path]:
    """What git has or would take: everything but what .gitignore names."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found
    return found


# They may name classes: reasons of a bug, which an engineer searches for in the code, the words of last resort, and the
# attribute error.type of a span, which OpenTelemetry defines so.
NAMES_OF_BUGS = {
    Path("consumer/core/reasons.py"),
    Path("consumer/flusher.py"),
    Path("serving/kafka/words.py"),
    Path("serving/spans.py"),
}


def names_of_exceptions(tree: ast.AST) -> set[str]:
    """What exceptions are called in a file: where they are caught, and where a function is given one."""
    caught = {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name}
    given = {
        node.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.arg)
        and node.annotation
        and ast.unparse(node.annotation).endswith(("Error", "Exception"))
    }
    return caught | given


def raw_exceptions(path: Path) -> Iterator[int]:
    """Lines on which an exception is written as Python writes it: by `!r`, `repr()` or the name of its class."""
    text = path.read_text()
    if not any(way in text for way in ("!r", "repr(", "__name__")):
        return
    tree = ast.parse(text)
    names = names_of_exceptions(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and node.conversion == ord("r"):
            found = node.value
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "repr":
            found = node.args[0]
        elif isinstance(node, ast.Attribute) and node.attr == "__name__" and isinstance(node.value, ast.Call):
            found = node.value.args[0] if node.value.args else node.value
        else:
            continue
        if isinstance(found, ast.Name) and found.id in names:
            yield node.lineno


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Every function with its length in lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_transactions_are_opened_in_one_place() -> None:
    """A forgotten await would write outside any transaction, unnoticed (docs/design.md, "Why it counts once")."""
    opens = re.compile(r"\.(start|with)_transaction\b")
    found = [path.relative_to(ROOT) for path in sources(*FOLDERS) if opens.search(path.read_text())]
    assert [Path("consumer/mongo/transactions.py")] == found


def test_rooms_are_small() -> None:
    """No function and no file longer than one can read at a sitting (style: small rooms)."""
    rooms = [(path, name, lines) for path in sources(*FOLDERS) for name, lines in functions(path)]
    assert [] == [(path, name, lines) for path, name, lines in rooms if lines > MAX_FUNCTION_LINES]
    files = [(path, len(path.read_text().splitlines())) for path in sources(*FOLDERS)]
    assert [] == [(path, lines) for path, lines in files if lines > MAX_FILE_LINES]


def test_no_file_names_our_machine_or_a_registry() -> None:
    """Packages come from wherever a machine's own settings say; a clone must work anywhere."""
    found = []
    for path in files_of_the_repository():
        text = path.read_bytes().decode(errors="replace")
        found += [(str(path.relative_to(ROOT)), name) for name in FORBIDDEN if name in text]
    assert [] == found


def test_no_message_holds_an_exception_as_python_writes_it() -> None:
    """A person reads what happened, not a library's class (words.py of serving/kafka/ and serving/mongodb/)."""
    paths = [path for path in sources(*FOLDERS) if path.relative_to(ROOT) not in NAMES_OF_BUGS]
    assert [] == [(path, line) for path in paths for line in raw_exceptions(path)]


def test_the_test_of_raw_exceptions_sees_them(tmp_path: Path) -> None:
    """Each of the ways that there were, and none of the good ones."""
    file = tmp_path / "file.py"
    file.write_text(
        "def words(given: BaseException, name: str):\n"
        "    try:\n"
        "        pass\n"
        "    except OSError as error:\n"
        "        a = f'{error!r}'\n"
        "        b = repr(error)\n"
        "        c = f'{type(error).__name__}: {error}'\n"
        "        d = f'{given!r}'\n"
        "        good = f'{name!r} {error} {str(given)}'\n"
    )
    assert [5, 6, 7, 8] == sorted(raw_exceptions(file))


def test_commands_print_in_one_place() -> None:
    """ops/output.py decides what goes to standard output and what to standard error.

    maven_client.py is a program of its own, which can't import it. Its parent reads what it prints.
    """
    prints = re.compile(r"\bprint\(|\bsys\.std(out|err)\b|^\s*(from|import) rich\b", re.MULTILINE)
    found = {path.relative_to(ROOT) for path in sources("ops") if prints.search(path.read_text())}
    assert {Path("ops/output.py"), Path("ops/logs.py"), Path("ops/local/downloads/maven_client.py")} == found


def test_no_fault_of_a_whole_cluster_runs_beside_the_fast_tests(request: pytest.FixtureRequest) -> None:
    """An `-m` of the command line takes the place of the one in pyproject.toml, which leaves them out."""
    faults = (item for item in request.session.items if item.get_closest_marker("faults"))
    assert [] == [item.nodeid for item in faults if not item.get_closest_marker("real")]
