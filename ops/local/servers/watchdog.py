"""Kill what a parent started once the parent is gone, even if it was killed with SIGKILL.

Runs as a process of its own, `python -I -S watchdog.py`, with the read end of a pipe as standard input. Children
write `+PID` to the pipe themselves, before they become their program, so none is ever untold; the parent writes `-PID`
for those it has stopped. When the last writer is gone the pipe ends, and every group still told of is killed.
Standard library only, and little of it: it must start at once and weigh nothing.
"""

import os
import signal
import sys
from collections.abc import Iterable


def groups_left(lines: Iterable[bytes]) -> set[int]:
    """The process groups told of and not taken back."""
    groups: set[int] = set()
    for line in lines:
        sign, number = line[:1], line[1:].strip()
        if sign == b"+" and number.isdigit():
            groups.add(int(number))
        elif sign == b"-" and number.isdigit():
            groups.discard(int(number))
    return groups


def main() -> None:
    # Ctrl-C and a terminal that closes reach whole groups; the watchdog ends with its pipe alone.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for group in groups_left(sys.stdin.buffer):
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue  # gone already


if __name__ == "__main__":
    main()
