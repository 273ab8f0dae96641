"""README's lines for a shell, and the answers it prints below them, as they stand."""

from typing import NamedTuple

from ops.reference import README

INGRESS, CONSOLE = "http://127.0.0.1:8080", "http://127.0.0.1:8090"


class Tour(NamedTuple):
    """Everything in README that asks a running system, in its order; of the answers those that are printed whole."""

    script: str
    answers: list[str]


def tour(ingress: str, console: str) -> Tour:
    """For a system with these addresses."""
    blocks = [block for block in README.read_text().split("\n\n") if block.startswith("    ")]
    asks = [block for block in blocks if "curl " in block]
    answers = [block.strip() for block in blocks if block.startswith("    {")]
    script = "\n".join(["set -eu -o pipefail", *asks]).replace(INGRESS, ingress).replace(CONSOLE, console)
    return Tour(script, [answer for answer in answers if "..." not in answer and "\n" not in answer])
