"""Errors that a user can correct."""

from collections.abc import Iterable


class BadInput(Exception):
    """Input that can't be used. `problems` has one sentence for each problem, naming the field."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))
