"""The voice of `up`: a line for each phase, with a spinner while it lasts where somebody looks on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Narrator:
    """Speaks on standard error: standard output may be read by a program."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        self._console.print(text, markup=False)

    @contextmanager
    def phase(self, what: str) -> Iterator[None]:
        """Tell that something is under way, and how long it took."""
        started = time.monotonic()
        with self._console.status(what):
            yield
        self.say(f"  {what}: {time.monotonic() - started:.1f} s")
