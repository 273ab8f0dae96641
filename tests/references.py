"""References to pages of the documentation, in pages, comments, docstrings and messages.

A page's name, which may be followed by an anchor, a heading in quotes, `section` and a number, or the id of a rule:
`docs/rules.md, G3`, `docs/rules.md, "Answers"`. In a page also a link to an anchor of the page itself.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

# Rules by their ids: `G3`, `G5 to G13`, `A9 and B10`.
RULES = r"[ABGQ]\d+\b(?:(?:, | to | and )[ABGQ]\d+\b)*"
# A page, and what follows it: an anchor, a heading in quotes, a section by number, rules.
PAGE = re.compile(rf'(?<![\w.*{{/-])([\w./-]*\w\.md)\b(?:(#[\w-]+)|,?\s+("[^"\n]+"|section \d+|{RULES}))?')
HERE = re.compile(r"\]\((#[\w-]+)\)")
HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)
RULE = re.compile(r"^\| ([A-Z]\d+) \|", re.MULTILINE)


class Reference(NamedTuple):
    """`page` as it is written, empty for the page itself; `place` in it, empty for all of it."""

    file: str
    line: int
    page: str
    place: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.page} {self.place}".rstrip()


def references_of(file: Path, root: Path) -> Iterator[Reference]:
    """Every reference in a file, line by line."""
    name = str(file.relative_to(root))
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), start=1):
        for page, anchor, place in PAGE.findall(line):
            yield Reference(name, number, page, anchor or place)
        if file.suffix == ".md":
            for anchor in HERE.findall(line):
                yield Reference(name, number, "", anchor)


def broken(reference: Reference, root: Path) -> bool:
    """Whether the page or the place in it does not exist."""
    file = root / reference.file
    page = file if not reference.page else _page(reference.page, file, root)
    return page is None or not _has(page.read_text(), reference.place)


def _page(name: str, file: Path, root: Path) -> Path | None:
    """By its path in the repository, beside the file that names it, or in docs/ (code that builds a path)."""
    return next((path for path in (root / name, file.parent / name, root / "docs" / name) if path.is_file()), None)


@cache
def _has(text: str, place: str) -> bool:
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = HEADING.findall(prose)
    if place.startswith("#"):
        return place[1:] in {_anchor(heading) for heading in headings}
    if place.startswith('"'):
        return place.strip('"') in headings
    if place.startswith("section "):
        return any(heading.startswith(place.removeprefix("section ") + ". ") for heading in headings)
    return set(re.findall(r"\w\d+", place)) <= set(RULE.findall(text))


def _anchor(heading: str) -> str:
    """As GitHub makes it: lower case, no punctuation, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
