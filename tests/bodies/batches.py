"""Bodies of events.record as no client sends them: any order, names twice, escapes, blanks, values of any type."""

import json
from collections.abc import Sequence

from hypothesis import strategies as st

from tests.samples import HOUR, MINUTE, NOW

INT64 = 2**63
EDGES = [0, 1, -1, INT64 - 1, -INT64, INT64, -INT64 - 1, 10**9, 10**400]
# Years 1, 1970 and 9999, in milliseconds.
TIMES = [-62_135_596_800_000, 0, 1, MINUTE, 253_402_300_799_999, NOW, NOW - HOUR, NOW - HOUR + MINUTE, *EDGES]

NO_INT64 = [
    "7.0",
    "1e3",
    "-0.0",
    "1e400",
    "true",
    "[]",
    "{}",
    '"7.0"',
    '"1e3"',
    '"007"',
    '"+7"',
    '" 7"',
    '"7 "',
    '"1_0"',
]
NO_INT64 += [
    '""',
    '"nan"',
    '"inf"',
    '"null"',
    '"NULL"',
    '"true"',
    '"\\u0667"',
    '"7\\u0000"',
    "9" * 5000,
    '"' + "9" * 5000 + '"',
]
JUNK = ["7", "true", '"x"', "[]", "{}", "[[[]]]", '{"a":[{}]}', "1e400", "NaN", "-Infinity", "9" * 5000, '"\\ud800"']
JUNK += ["[" * 70 + "]" * 70, "[" * 60 + "]" * 60, "[" * 980 + "]" * 980, "nul", "01", '"\\x41"', "[1,]"]

BLANKS = st.sampled_from(["", "", "", " ", "\n", "\t\r\n "])


def ints(values: st.SearchStrategy[int], hostile: st.SearchStrategy[bool]) -> st.SearchStrategy[str]:
    """An int64 as the wire has it: digits, or a string of digits; where it is hostile one that is none."""
    good = values.flatmap(lambda number: st.sampled_from([str(number), f'"{number}"', f'"{number}"']))
    bad = st.sampled_from([*NO_INT64, "null", '"-0"', "-0"])
    return hostile.flatmap(lambda now: bad if now else good)


NAMES = st.sampled_from(["LEVEL_UP", "COIN", "UNDECLARED", "", "a.b", "$inc", "x" * 70, "\u00e9\U0001f600", "a\0b"])
STRINGS = NAMES.map(json.dumps) | NAMES.map(lambda name: json.dumps(name, ensure_ascii=False))
NEAR = st.integers(NOW - 2 * HOUR, NOW)
TIMES_NEAR = st.one_of(NEAR, NEAR, NEAR, NEAR, NEAR, st.sampled_from(TIMES))
SMALL = st.integers(1, 10)
COUNTS = st.one_of(SMALL, SMALL, SMALL, st.integers(-1, 10**9), st.sampled_from(EDGES))
IDS = st.one_of(SMALL, SMALL, SMALL, st.sampled_from(EDGES))


@st.composite
def an_object(
    draw: st.DrawFn, members: Sequence[tuple[str, st.SearchStrategy[str]]], *, hostile: st.SearchStrategy[bool]
) -> str:
    """The members in any order; where it is hostile some are left out, doubled, spelt by escapes, junk or unknown."""
    parts = [(name, draw(value)) for name, value in draw(st.permutations(members))]
    if draw(hostile):
        name = draw(st.sampled_from([*(name for name, _ in members), "kind", "extra", "Kind", ""]))
        parts.insert(draw(st.integers(0, len(parts))), (name, draw(st.sampled_from(JUNK) | st.just("null"))))
    if draw(hostile) and parts:
        del parts[draw(st.integers(0, len(parts) - 1))]
    spelt = [f"{draw(BLANKS)}{_key(name, escaped=draw(hostile))}:{draw(BLANKS)}{value}" for name, value in parts]
    return "{" + ",".join(spelt) + draw(BLANKS) + "}"


def _key(name: str, *, escaped: bool) -> str:
    return f'"\\u{ord(name[0]):04x}{name[1:]}"' if escaped and name else f'"{name}"'


def _array(elements: st.SearchStrategy[str], hostile: st.SearchStrategy[bool], most: int) -> st.SearchStrategy[str]:
    good = st.lists(elements, max_size=most)
    bad = st.lists(elements | st.sampled_from(JUNK), max_size=most)
    arrays = hostile.flatmap(lambda now: bad if now else good).map(lambda parts: "[" + ",".join(parts) + "]")
    return hostile.flatmap(lambda now: st.sampled_from(["null", *JUNK]) if now else arrays)


def batches(one_in: int = 12) -> st.SearchStrategy[bytes]:
    """Bodies of which about one part in `one_in` is damaged."""
    hostile = st.integers(1, one_in).map(lambda number: number == one_in // 2)
    wrong = hostile.map(bool)
    update = an_object([("definitionId", STRINGS), ("updateCount", ints(COUNTS, hostile))], hostile=wrong)
    span = an_object(
        [("periodStartMillis", ints(TIMES_NEAR, hostile)), ("periodEndMillis", ints(TIMES_NEAR, hostile))],
        hostile=wrong,
    )
    near = st.integers(NOW - 2 * HOUR, NOW - MINUTE).map(
        lambda start: f'{{"periodStartMillis":"{start}","periodEndMillis":{start + MINUTE}}}'
    )
    one = an_object([("timePeriod", near | span), ("updates", _array(update, hostile, 4))], hostile=wrong)
    members = [
        ("requestId", ints(IDS, hostile)),
        ("timePeriods", _array(one, hostile, 3)),
        ("currentTimeMillis", ints(TIMES_NEAR, hostile) | st.just("null")),
    ]
    return an_object(members, hostile=wrong).map(str.encode)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Bodies with bytes put in, taken out or repeated somewhere."""
    body = draw(batches())
    at, end = sorted((draw(st.integers(0, len(body))), draw(st.integers(0, len(body)))))
    stranger = draw(
        st.sampled_from([b"", b"\xff", b"\xef\xbb\xbf", b"\0", b'"', b"\\", b"{", b"]", b",", b"NaN", b" "])
    )
    return draw(
        st.sampled_from([body[:at] + stranger + body[at:], body[:at] + stranger + body[end:], body[:at] + body])
    )


BODIES = batches() | damaged() | st.binary(max_size=40)
