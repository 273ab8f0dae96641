"""Reading and following log files."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.local.logs import files
from ops.local.logs.entry import Entry
from ops.local.logs.files import Follower, Wanted, by_time, last_entries
from ops.local.servers.processes import MAX_LOG_BYTES, open_log


def line(number: int, level: str = "info") -> str:
    time = f"2026-11-28T12:{number // 60:02}:{number % 60:02}.000Z"
    return json.dumps({"event": f"e{number}", "level": level, "timestamp": time}) + "\n"


def events(found: list[Entry]) -> list[str]:
    return [one.event for one in found]


ALL = Wanted(lambda _: True, None)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path


@pytest.fixture
def follower(data: Path) -> Iterator[Follower]:
    following = Follower(data, lambda name: name != "init")
    yield following
    following.close()


@given(
    st.lists(st.one_of(st.integers(0, 3_599), st.text("ab é", min_size=1, max_size=40)), max_size=60),
    st.one_of(st.none(), st.integers(0, 70)),
    st.one_of(st.none(), st.integers(0, 3_600)),
    st.integers(1, 200),
)
def test_the_end_of_a_log_is_the_same_however_little_is_read_at_once(
    wrote: list[int | str], count: int | None, since: int | None, first_bytes: int
) -> None:
    """Text without a time belongs to the line before it, and whole lines only are shown."""
    wrote = sorted((one for one in wrote if isinstance(one, int)), key=int) + [
        one for one in wrote if isinstance(one, str)
    ]
    since_millis = None if since is None else 1_795_867_200_000 + since * 1000
    wanted = Wanted(lambda _: True, count, since_millis)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        log = Path(folder) / "kafka.log"
        log.write_text("".join(line(one) if isinstance(one, int) else f"{one}\n" for one in wrote) + "half")
        whole = last_entries(log, wanted)
        patch.setattr(files, "FIRST_BYTES", first_bytes)
        assert whole == last_entries(log, wanted)
        assert "half" not in events(whole)
        assert count is None or len(whole) <= count
    if since is None and count is None:
        assert len([one for one in wrote if isinstance(one, int) or one.strip()]) == len(whole)


def test_the_older_part_of_a_log_is_read_where_it_is_needed(data: Path) -> None:
    log = data / "logs" / "kafka.log"
    log.write_text(line(3) + line(4))
    log.with_name("kafka.log.1").write_text(line(1) + line(2))
    assert ["e1", "e2", "e3", "e4"] == events(last_entries(log, ALL))
    assert ["e2", "e3", "e4"] == events(last_entries(log, Wanted(lambda _: True, 3)))
    assert ["e4"] == events(last_entries(log, Wanted(lambda _: True, 1)))
    assert ["e1"] == events(last_entries(log, Wanted(lambda one: one.event == "e1", 5)))
    assert {"kafka"} == {one.process for one in last_entries(log, ALL)}


def test_what_is_added_is_read_once_and_by_time(data: Path, follower: Follower) -> None:
    """A line that is not whole is read when it is."""
    ingress, kafka = (data / "logs" / f"{name}.log" for name in ("ingress", "kafka"))
    ingress.write_text(line(1) + line(9)[:10])
    kafka.write_text(line(2))
    assert {ingress: len(line(1)), kafka: len(line(2))} == dict(follower.start())
    assert [] == follower.added()
    with ingress.open("a") as one, kafka.open("a") as other:
        one.write(line(9)[10:])
        other.write(line(5) + line(7))
    assert ["e5", "e7", "e9"] == events(follower.added())
    assert [] == follower.added()


def test_a_process_that_starts_later_is_followed_from_its_first_line(data: Path, follower: Follower) -> None:
    """And one that is not asked for is not."""
    follower.start()
    (data / "logs" / "worker-3.log").write_text(line(1))
    (data / "logs" / "init.log").write_text(line(2))
    assert [("worker-3", "e1")] == [(one.process, one.event) for one in follower.added()]


def test_a_log_that_is_renamed_is_followed_to_its_end_and_then_the_new_one(
    data: Path, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As open_log renames it, whenever the reader looks: before, between and after."""
    log = data / "logs" / "kafka.log"
    log.write_text(line(1))
    follower.start()
    monkeypatch.setattr("ops.local.servers.processes.MAX_LOG_BYTES", 10)
    assert MAX_LOG_BYTES > 10
    with log.open("a") as old:
        old.write(line(2))
        old.flush()
        with open_log(log) as new:
            old.write(line(3))
            old.flush()
            new.write(line(4).encode())
            new.flush()
            assert ["e2", "e3", "e4"] == events(follower.added())
            new.write(line(5).encode())
    log.rename(log.with_name("kafka.log.1"))
    assert [] == follower.added()
    log.write_text(line(6))
    assert ["e5", "e6"] == events(follower.added())


def test_lines_without_any_time_have_that_of_their_file(data: Path, follower: Follower) -> None:
    """As what a command has printed. If some line has a time, those before it are older."""
    log, other = data / "logs" / "kafka.log", data / "logs" / "mongodb.log"
    log.write_text("one\ntwo\n")
    os.utime(log, ns=(0, 1_795_867_200_000 * 1_000_000))
    other.write_text("one\n" + line(2))
    assert [1_795_867_200_000] * 2 == [one.at_millis for one in last_entries(log, ALL)]
    assert ["one", "two"] == events(last_entries(log, Wanted(lambda _: True, None, 1_795_867_200_000)))
    assert [] == last_entries(log, Wanted(lambda _: True, None, 1_795_867_200_001))
    assert [True, False] == [one.at_millis is None for one in last_entries(other, ALL)]
    follower.start()
    with log.open("a") as file:
        file.write("three\n")
    (three,) = follower.added()
    assert three.at_millis is not None, "it was written just now"


def test_a_log_that_is_cut_is_read_from_its_start(data: Path, follower: Follower) -> None:
    log = data / "logs" / "kafka.log"
    log.write_text(line(1) + line(2))
    follower.start()
    log.write_text(line(3))
    assert ["e3"] == events(follower.added())


def test_entries_with_one_time_stay_in_their_order() -> None:
    found = [
        Entry(5, "info", "p", "a"),
        Entry(5, "info", "p", "b"),
        Entry(4, "info", "q", "c"),
        Entry(None, "info", "q", "d"),
    ]
    assert ["d", "c", "a", "b"] == events(by_time(found))
