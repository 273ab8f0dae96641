"""Lines of logs as entries."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.local.logs.entry import LEVELS, RESERVED, Entry, entries, entry_of

AT = 1_795_867_200_123
TIME = "2026-11-28T12:00:00.123Z"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            '{"server": "a:1", "event": "kafka_lost", "level": "warning", "timestamp": "2026-11-28T12:00:00.123456Z"}',
            Entry(AT, "warning", "p", "kafka_lost", {"server": "a:1"}),
        ),
        (
            '{"t":{"$date":"2026-11-28T13:00:00.123+01:00"},"s":"W","c":"STORAGE","id":1,"msg":"slow","attr":{"ms":7}}',
            Entry(AT, "warning", "p", "slow", {"component": "STORAGE", "ms": 7}),
        ),
        (f"{TIME} ERROR Partition: a disk is full", Entry(AT, "error", "p", "Partition: a disk is full")),
        ("2026-11-28T12:00:00.123456789Z main WARN no hook", Entry(AT, "warning", "p", "no hook")),
        ("[2026-11-28 12:00:00,123] FATAL gone (kafka.x)", Entry(AT, "critical", "p", "gone (kafka.x)")),
    ],
)
def test_each_program_s_line_is_known(line: str, expected: Entry) -> None:
    assert expected == entry_of("p", line)


def test_a_line_without_a_time_belongs_to_the_line_before() -> None:
    """So a stack trace stays together, and is shown where its first line is."""
    lines = ["a warning of java", f"{TIME} ERROR x: failed", "\tat org.Example", "", '{"event": 7}', "{not json"]
    found = list(entries("kafka", lines))
    assert [None, AT, AT, AT, AT] == [one.at_millis for one in found]
    assert ["info", "error", "error", "error", "error"] == [one.level for one in found]
    assert ["a warning of java", "x: failed", "\tat org.Example", '{"event": 7}', "{not json"] == [
        one.event for one in found
    ]


def test_an_entry_as_json_has_four_keys_of_its_own_first() -> None:
    """A key of the line with one of these names is kept under another."""
    entry = Entry(AT, "info", "worker-1", "x", {"process": 7, "a": [1]})
    expected = {"time": TIME, "level": "info", "process": "worker-1", "event": "x", "process_": 7, "a": [1]}
    assert list(expected.items()) == list(entry.as_json().items())
    assert entry.as_json()["time"] is not None
    assert Entry(None, "info", "p", "x").as_json()["time"] is None


VALUES = st.one_of(st.none(), st.integers(), st.text(max_size=30), st.just({"$date": "9999-12-31T23:59:59-12:00"}))
KEYS = st.sampled_from(["timestamp", "event", "level", "t", "s", "msg", "attr", "x"])


@given(st.one_of(st.text(), st.dictionaries(KEYS, VALUES).map(json.dumps)))
def test_no_line_is_too_odd(line: str) -> None:
    """Whatever a program writes is shown."""
    found = entry_of("p", line)
    assert found.level in LEVELS
    assert set(RESERVED) <= set(found.as_json())
    json.dumps(found.as_json())
