"""The file map of docs/design.md: each folder with its purpose (from its `__init__.py`) and its modules."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
DESIGN: Final = ROOT / "docs" / "design.md"
PACKAGES: Final = ("schemas", "serving", "ingress", "consumer", "console", "ops")
MARKS = ("<!-- file map: written by python -m ops.reference -->", "<!-- end of file map -->")


def file_map() -> str:
    """One line a folder."""
    return "\n".join(["| folder | what it holds or does | modules |", "|---|---|---|", *_rows()])


def _rows() -> Iterator[str]:
    for package in PACKAGES:
        for room in sorted({file.parent for file in (ROOT / package).rglob("*.py")}):
            modules = sorted(file.stem for file in room.glob("*.py") if file.stem not in ("__init__", "__main__"))
            said = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
            purpose = " ".join(said.split("\n\n")[0].split()).replace("|", "\\|")
            yield f"| `{room.relative_to(ROOT)}/` | {purpose} | {', '.join(modules)} |"


def design_with(rows: str, design: str) -> str:
    """docs/design.md with this map between its marks."""
    return between(MARKS, rows, design)


def between(marks: tuple[str, str], text: str, page: str) -> str:
    """A page with this text between its marks."""
    begin, end = marks
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}"
