"""Counting the steps of a call, whatever machine it runs on.

A step is a line of Python, and every character or element of a new value that a line or a call makes: so a loop that
copies its text each time counts by the square. What C code does inside one call isn't seen: where that is more than
linear, the test replaces it with something that counts (`normalize_steps`).
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

_SIZED = (str, bytes, list, tuple, dict)


class _Counter:
    def __init__(self) -> None:
        self.steps = 0
        self._locals: dict[int, dict[str, int]] = {}

    def __call__(self, frame: FrameType, event: str, arg: object) -> Any:  # noqa: ANN401 a trace function
        self.steps += 1
        seen = self._locals.setdefault(id(frame), {})
        if event == "call":
            seen.clear()
            seen.update((name, id(value)) for name, value in frame.f_locals.items())
        elif event == "return":
            self._made(arg)
            self._locals.pop(id(frame), None)
        else:
            self._new_locals(frame, seen)
        return self

    def _new_locals(self, frame: FrameType, seen: dict[str, int]) -> None:
        for name, value in frame.f_locals.items():
            if seen.get(name) != id(value):
                seen[name] = id(value)
                self._made(value)

    def _made(self, value: object) -> None:
        if isinstance(value, _SIZED):
            self.steps += len(value)


def steps_of(call: Callable[[], object]) -> int:
    """What `call` takes. Whatever it raises is an answer too."""
    counter, before = _Counter(), sys.gettrace()
    sys.settrace(counter)
    try:
        call()
    except ValueError:
        pass
    finally:
        sys.settrace(before)
    return counter.steps
