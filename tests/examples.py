"""How many examples hypothesis draws for a test."""

import os

# `make check` asks for one in so many (see the Makefile); `make test` draws all of them.
ONE_IN = int(os.environ.get("EXAMPLES_ONE_IN", "1"))

# Of a test with few examples a part would be next to none.
FEWEST = 10

# Of a test that names no number: hypothesis's own.
USUAL = 100


def examples(wanted: int = USUAL) -> int:
    """The share of them that this run draws."""
    return max(wanted // ONE_IN, min(wanted, FEWEST))
