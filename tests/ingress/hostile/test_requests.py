"""Hostile bodies, made by hypothesis: each is a 4xx that names the field, and nothing of it is published.

A good batch is damaged in one place. If a value is damaged, the violation has the value's path. If the text is no JSON
any more, the violation is of the whole body, with line and column.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.settings import Limits
from schemas.wire.depth import MAX_DEPTH
from schemas.wire.malformed import MAX_VIOLATIONS
from tests.examples import examples
from tests.ingress.conftest import running_rig
from tests.ingress.rig import Answer, Rig, batch, period, update

# A thorough run is `make fuzz`.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", examples(60)))
hostile = settings(max_examples=EXAMPLES, deadline=None, derandomize="FUZZ_EXAMPLES" not in os.environ)

Path = tuple[str | int, ...]

GOOD: dict[str, Any] = json.loads(batch(period(update(), update(count=2)), period(update())))
TEXT = json.dumps(GOOD).encode()

INT64 = ("requestId", "currentTimeMillis", "periodStartMillis", "periodEndMillis", "updateCount")
NULL_IS_FINE = ("currentTimeMillis", "timePeriods", "updates", "kind")

# Each is the text of a value, to stand where an int64 is wanted.
NO_NUMBERS = ["true", "false", "{}", "[]", "[1]", "7.0", "1e3", "0.5", "-0.0", "1e400", "NaN", "Infinity", "-Infinity"]
NO_DIGITS = ["", "007", "+7", " 7", "7 ", "1_0", "7.0", "0x7", "1e3", "NaN", "\u0667", "7\0", "\U0001f600"]
OUT_OF_RANGE = [str(2**63), str(-(2**63) - 1), "9" * 400]
NO_INT64 = st.sampled_from(
    [*NO_NUMBERS, *OUT_OF_RANGE, *(json.dumps(text) for text in (*NO_DIGITS, *OUT_OF_RANGE))]
) | st.text(max_size=20).filter(lambda text: not text.lstrip("-").isdecimal()).map(json.dumps)
NO_STRING = st.sampled_from(["7", "true", "{}", "[]", "null", "1e400", "NaN", "[[[[]]]]", str(2**63)])
NO_OBJECT = st.sampled_from(["7", "true", '"x"', "[]", "null", "[{}]", "NaN"])
NO_ARRAY = st.sampled_from(["7", "true", '"x"', "{}", '{"0": {}}', "NaN"])
# Text that no JSON decoder here accepts, at any position.
NO_TEXT = (
    b'"\\ud800"',
    b'"\\udfff x"',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"\x00"',
    b'"\n"',
    b"'x'",
    b'"\\x41"',
    b'"\\u12"',
)
NO_SYNTAX = (b"01", b"+1", b".5", b"1.", b"nul", b"undefined", b"{,}", b"[1,]", b'{"a":}', b"{a:1}", b"/**/7")
TOO_DEEP = (b"[" * 5_000, b"[" * 300 + b"]" * 300, b'{"a":' * 300 + b"1" + b"}" * 300)
NO_JSON = st.sampled_from([*NO_TEXT, *NO_SYNTAX, *TOO_DEEP])
KEYS = st.sampled_from(
    ["", "$where", "a.b", "__proto__", "requestid", "REQUESTID", "request_id", "\x00", "é", "x" * 5_000]
)


def paths(value: object, at: Path = ()) -> Iterator[Path]:
    """Every place in a JSON value, itself excluded."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*at, name)
        yield from paths(part, (*at, name))


def found(at: Path) -> Any:  # noqa: ANN401 JSON is any
    """The value at this path in the good batch."""
    place: Any = GOOD
    for part in at:
        place = place[part]
    return place


def damaged(at: Path, text: bytes) -> bytes:
    """The good batch with `text` where `at` was."""
    mark = "here it was"
    changed = json.loads(TEXT)
    place = changed
    for part in at[:-1]:
        place = place[part]
    place[at[-1]] = mark
    return json.dumps(changed).encode().replace(json.dumps(mark).encode(), text)


def spelt(at: Path) -> str:
    """`timePeriods[0].updates[1].updateCount`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at)[1:]


def wrong_for(at: Path) -> st.SearchStrategy[str]:
    """Values that the place does not take."""
    name = at[-1]
    if name in INT64:
        return NO_INT64 if name in NULL_IS_FINE else NO_INT64 | st.just("null")
    if name in ("timePeriods", "updates"):
        return NO_ARRAY
    return NO_STRING if name == "definitionId" else NO_OBJECT


PLACES = tuple(paths(GOOD))
OBJECTS: tuple[Path, ...] = ((), *(at for at in PLACES if isinstance(at[-1], int) or at[-1] == "timePeriod"))


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


class Post:
    """Posts to one in-memory ingress, again and again."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self.rig = Rig(Limits(max_requests_per_player=10**9))

    def __call__(self, body: bytes) -> Answer:
        async def one() -> Answer:
            async for rig in running_rig(self.rig):
                return await rig.post(body)
            raise AssertionError("the rig does not run")

        return self._runner.run(one())

    def refused(self, body: bytes, status: int = 400) -> list[dict[str, str]]:
        """The violations; nothing was published, counted, or waited for."""
        answer = self(body)
        assert (status, []) == (answer.status, self.rig.topic.records), body[:500]
        assert "tallymill-receipt" not in answer.headers
        if status != 400:
            return []
        violations: list[dict[str, str]] = answer.json["error"]["details"][0]["fieldViolations"]
        assert 1 <= len(violations) <= MAX_VIOLATIONS
        assert all(violation["description"] for violation in violations)
        return violations

    def fields(self, body: bytes) -> list[str]:
        return [violation["field"] for violation in self.refused(body)]


@pytest.fixture(scope="module")
def post(runner: asyncio.Runner) -> Post:
    return Post(runner)


def test_the_batch_that_is_damaged_below_is_a_good_one(runner: asyncio.Runner) -> None:
    """Else everything would be refused, whatever is done to it."""
    one = Post(runner)
    assert one(TEXT).status == 200
    assert len(one.rig.topic.records) == 1


@hostile
@given(st.data())
def test_b2_a_wrong_value_anywhere_is_named_by_its_path(post: Post, data: st.DataObject) -> None:
    """B2, G3, G4: wrong types, 2^63, NaN, 1e400, padding, NUL."""
    at = data.draw(st.sampled_from(PLACES))
    text = data.draw(wrong_for(at)).encode()
    assert [spelt(at)] == post.fields(damaged(at, text))


@hostile
@given(st.sampled_from(PLACES), NO_JSON)
def test_b2_what_is_no_json_is_refused_with_line_and_column(post: Post, at: Path, text: bytes) -> None:
    """B2: lone surrogates, invalid UTF-8, raw control characters, nesting beyond the limit, other spellings."""
    for violation in post.refused(damaged(at, text)):
        assert violation["field"] in ("", spelt(at))
        description = violation["description"]
        assert violation["field"] or "column" in description or description == f"Nested deeper than {MAX_DEPTH}"


@hostile
@given(st.sampled_from(OBJECTS), KEYS, st.sampled_from(["1", "null", '"x"', "NaN", "{}", "[[]]"]))
def test_g5_an_unknown_field_anywhere_is_named(post: Post, at: Path, key: str, value: str) -> None:
    """G5: with any name and any value."""
    inside = json.dumps(found(at))[:-1] + f", {json.dumps(key)}: {value}}}"
    body = damaged(at, inside.encode()) if at else inside.encode()
    (field,) = post.fields(body)
    assert field.endswith(key)
    assert field.startswith(spelt(at)) if at else field == key


@hostile
@given(st.sampled_from(PLACES), st.data())
def test_b2_of_a_key_given_twice_the_last_is_judged(post: Post, at: Path, data: st.DataObject) -> None:
    """B2: a good value before a bad one hides nothing."""
    if isinstance(at[-1], int):
        return
    text = data.draw(wrong_for(at))
    twice = json.dumps(found(at[:-1]))[:-1] + f", {json.dumps(at[-1])}: {text}}}"
    body = damaged(at[:-1], twice.encode()) if at[:-1] else twice.encode()
    assert [spelt(at)] == post.fields(body)


@hostile
@given(st.integers(0, len(TEXT) - 1))
def test_b2_a_body_that_ends_early_is_refused(post: Post, length: int) -> None:
    """B2: nothing of what did come is counted."""
    (violation,) = post.refused(TEXT[:length])
    assert violation["field"] == ""
    assert "column" in violation["description"]


@hostile
@given(st.integers(0, len(TEXT)), st.sampled_from([b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\x00", b"\xef\xbb\xbf"]))
def test_b2_bytes_that_are_no_utf8_are_refused_wherever_they_stand(post: Post, at: int, stranger: bytes) -> None:
    """B2: also NUL and a BOM, but for a BOM inside a string, where it is a character."""
    body = TEXT[:at] + stranger + TEXT[at:]
    if stranger == b"\xef\xbb\xbf" and TEXT[:at].count(b'"') % 2:
        return
    assert post.refused(body)


@hostile
@given(st.binary(max_size=300))
def test_b2_any_bytes_are_refused(post: Post, body: bytes) -> None:
    """B2: anything but a batch is a 400, never a 500."""
    assert post.refused(body)


@pytest.mark.parametrize("part", ["{}", "7", "null", "[]", '""', "NaN"])
def test_b2_huge_arrays_of_anything_name_the_first_twenty(post: Post, part: str) -> None:
    """B2: a body just within the limit, and an answer that is not as large."""
    count = (Limits().max_body_bytes - 100) // (len(part) + 1)
    body = f'{{"requestId":"7","timePeriods":[{",".join([part] * count)}]}}'.encode()
    fields = post.fields(body)
    assert len(fields) == MAX_VIOLATIONS
    assert all(field.startswith(f"timePeriods[{number}]") for number, field in enumerate(fields))


def test_b8_a_body_beyond_the_limit_is_not_even_read(post: Post) -> None:
    """B8: whatever it holds."""
    post.refused(b"[" * (Limits().max_body_bytes + 1), status=413)
