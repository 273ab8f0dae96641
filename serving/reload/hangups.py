"""SIGHUP: read the secrets again. Or the terminal was closed: stop, as at SIGTERM.

A process has lost its terminal if it was started in one, and that is gone. `nohup` prevents the stop, as usual.
"""

import asyncio
import os
import signal
from typing import Final

TERMINAL: Final = "/dev/tty"


class Hangups:
    """Notes SIGHUP from the start of the process on, before there is an event loop that can act on it."""

    def __init__(self) -> None:
        is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # by nohup
        self._has_terminal = not is_ignored and has_terminal()
        self.asked = asyncio.Event()
        signal.signal(signal.SIGHUP, lambda *_: self.note())

    def watch(self) -> None:
        """Wake the event loop that runs now."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.note)

    def note(self) -> None:
        if self._has_terminal and not has_terminal():
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            self.asked.set()


def has_terminal() -> bool:
    """Whether the process belongs to a terminal that is open."""
    try:
        os.close(os.open(TERMINAL, os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
