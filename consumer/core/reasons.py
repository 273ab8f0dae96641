"""Why something was not counted, in words that may stand in a log, a checkpoint, or a list of dead letters.

Such a text is short, and quotes nothing that a client has sent: readers of logs may not be allowed to see that.
"""

import traceback
from pathlib import PurePath
from typing import Final

MAX_REASON_CHARACTERS: Final = 200
"""Two lines of a terminal. Messages of libraries quote whole documents."""


def short(text: str) -> str:
    """`text` on one line, cut to MAX_REASON_CHARACTERS."""
    line = " ".join(text[: 4 * MAX_REASON_CHARACTERS].split())
    return line if len(line) <= MAX_REASON_CHARACTERS else line[: MAX_REASON_CHARACTERS - 3] + "..."


def bug_reason(step: str, error: BaseException) -> str:
    """The reason for an unexpected error: its class and line only, since its message may quote the record."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({PurePath(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return short(f"bug: {type(error).__name__} in {step} the record{place}")
