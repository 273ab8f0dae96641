"""Kills the children of a parent that has ended, even if it was killed with SIGKILL.

It runs as a separate process, `python -I -S watchdog.py`, with the read end of a pipe as standard input. A child writes
`+PID` to the pipe before it becomes its program, so none is missed. The parent writes `-PID` for each that it has
stopped. The pipe ends with its last writer; then every group that is still listed is killed. It imports little of the
standard library, so that it starts fast and needs little memory.
"""

import os
import signal
import sys
from collections.abc import Iterable


def groups_left(lines: Iterable[bytes]) -> set[int]:
    """The process groups that were added and not removed."""
    groups: set[int] = set()
    for line in lines:
        sign, number = line[:1], line[1:].strip()
        if sign == b"+" and number.isdigit():
            groups.add(int(number))
        elif sign == b"-" and number.isdigit():
            groups.discard(int(number))
    return groups


def main() -> None:
    # Ctrl-C and a closed terminal signal whole groups. The watchdog ends only with its pipe.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for group in groups_left(sys.stdin.buffer):
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue  # it has ended already


if __name__ == "__main__":
    main()
