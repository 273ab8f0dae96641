"""The log files of a data folder: their last entries, and those that are added later.

A log that has become large is renamed when its writer starts (processes.py, open_log): NAME.log.1 is the older part of
NAME.log.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from ops.local.logs.entry import Entry, entries

# How much of a log's end is read first. It holds some hundred lines.
FIRST_BYTES = 64 * 1024


def log_files(data: Path) -> list[Path]:
    return sorted((data / "logs").glob("*.log"))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries. `count`: at most so many of each log, the last ones. None: all since that time."""

    keep: Callable[[Entry], bool]
    count: int | None
    since_millis: int | None = None

    def of(self, found: Iterable[Entry]) -> list[Entry]:
        return [one for one in found if self.keep(one) and self._is_since(one)]

    def _is_since(self, one: Entry) -> bool:
        since = self.since_millis
        return since is None or (one.at_millis is not None and one.at_millis >= since)

    def reaches(self, read: Iterable[Entry]) -> bool:
        """Whether what was read begins before that time."""
        first = next((one.at_millis for one in read if one.at_millis is not None), None)
        return self.since_millis is not None and first is not None and first < self.since_millis


def last_entries(log: Path, wanted: Wanted, end: int | None = None) -> list[Entry]:
    """What is wanted of a log up to `end`, and of its older part. Reads no more than it needs."""
    found = _of_file(log, wanted, end)
    left = None if wanted.count is None else wanted.count - len(found)
    if left == 0:
        return found
    return _of_file(log.with_name(log.name + ".1"), replace(wanted, count=left)) + found


def _of_file(log: Path, wanted: Wanted, end: int | None = None) -> list[Entry]:
    try:
        with log.open("rb") as file:
            stat = os.fstat(file.fileno())
            upto, size = stat.st_size if end is None else end, FIRST_BYTES
            while True:
                begin = max(0, upto - size)
                read = _entries_from(file, log.stem.removesuffix(".log"), begin, upto)
                if not begin and all(one.at_millis is None for one in read):
                    read = [replace(one, at_millis=stat.st_mtime_ns // 1_000_000) for one in read]
                found = wanted.of(read)
                is_enough = (wanted.count is not None and len(found) >= wanted.count) or wanted.reaches(read)
                if not begin or is_enough:
                    return found if wanted.count is None else found[max(0, len(found) - wanted.count) :]
                size *= 4
    except FileNotFoundError:
        return []


def _entries_from(file: BinaryIO, process: str, begin: int, end: int) -> list[Entry]:
    """The entries of the whole lines between two places. Lines before the first with a time belong to earlier ones."""
    file.seek(max(0, begin - 1))
    *whole, _ = file.read(end - file.tell()).split(b"\n")
    if begin:
        whole = whole[1:]  # the first is the rest of a line, or empty: the end of the one before
    found = list(entries(process, (line.decode(errors="replace") for line in whole)))
    return [one for one in found if one.at_millis is not None] if begin else found


@dataclass(slots=True)
class _Followed:
    """One file that is open, up to where it was read, and the bytes of a line that is not whole yet."""

    process: str
    file: BinaryIO
    rest: bytes = b""
    last: Entry | None = None

    def skip(self) -> int:
        """Go to the end of the last whole line."""
        self.file.seek(-min(FIRST_BYTES, self.file.seek(0, os.SEEK_END)), os.SEEK_END)
        begin, end = self.file.tell(), self.file.read()
        return self.file.seek(begin + end.rfind(b"\n") + 1)

    def added(self) -> Iterator[Entry]:
        """The entries of the lines that have become whole since the last call."""
        if os.fstat(self.file.fileno()).st_size < self.file.tell():  # it was cut
            self.file.seek(0)
            self.rest = b""
        *lines, self.rest = (self.rest + self.file.read()).split(b"\n")
        for one in entries(self.process, (line.decode(errors="replace") for line in lines), self.last):
            self.last = one
            yield one if one.at_millis is not None else replace(one, at_millis=time.time_ns() // 1_000_000)


@dataclass(slots=True)
class Follower:
    """Reads what is added to the logs of a folder. A log that is renamed is read to its end, and then the new one.

    `wanted`: whether the log of a process is wanted. A process that starts later is followed from its first line.
    """

    data: Path
    wanted: Callable[[str], bool]
    _open: dict[Path, _Followed] = field(default_factory=dict)

    def start(self) -> Mapping[Path, int]:
        """Begin after the last whole line of each log, and return these places. Later logs are read as a whole."""
        return {log: self._opened(log).skip() for log in self._logs()}

    def added(self) -> list[Entry]:
        """All entries since the last call, by time."""
        found: list[Entry] = []
        for log in self._logs():
            followed = self._open.get(log) or self._opened(log)
            found += followed.added()
            if not _is_same(followed.file, log):
                found += followed.added()  # what was written before it was renamed
                followed.file.close()
                found += self._opened(log).added()
        return by_time(found)

    def close(self) -> None:
        for followed in self._open.values():
            followed.file.close()

    def _logs(self) -> list[Path]:
        return [log for log in log_files(self.data) if self.wanted(log.stem)]

    def _opened(self, log: Path) -> _Followed:
        self._open[log] = _Followed(log.stem, log.open("rb"))
        return self._open[log]


def _is_same(file: BinaryIO, log: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), log.stat())
    except FileNotFoundError:
        return True  # it was renamed, and its writer has not opened the new one yet


def by_time(found: Sequence[Entry]) -> list[Entry]:
    """In the order of their times. Entries of one process with one time stay in their order."""
    return sorted(found, key=lambda one: one.at_millis or 0)
