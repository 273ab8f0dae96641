"""The commands of README and of the pages for beginners, and the answers printed below them, as they stand."""

from typing import NamedTuple

from ops.reference import README, ROOT

PAGES = (README, *(ROOT / "docs" / name for name in ("refusals.md", "analytics.md", "queries.md")))
INGRESS, CONSOLE = "http://127.0.0.1:8080", "http://127.0.0.1:8090"


class Tour(NamedTuple):
    """Every block of the pages that calls a running system, in order, and the answers that are printed whole."""

    script: str
    answers: list[str]


def tour(ingress: str, console: str) -> Tour:
    """For a system with these addresses."""
    text = "\n\n".join(page.read_text() for page in PAGES)
    blocks = [block for block in text.split("\n\n") if block.startswith("    ")]
    asks = [block for block in blocks if "curl " in block]
    answers = [block.strip() for block in blocks if block.startswith("    {")]
    script = "\n".join(["set -eu -o pipefail", *asks]).replace(INGRESS, ingress).replace(CONSOLE, console)
    return Tour(script, [answer for answer in answers if "..." not in answer and "\n" not in answer])
