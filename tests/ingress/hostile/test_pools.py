"""Hostile pools, made by hypothesis: each is a 4xx that names item and field, and nothing of it is published."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingress.conftest import running_rig
from tests.ingress.hostile.test_requests import NO_JSON, hostile
from tests.ingress.rig import NOW, Answer, Rig
from tests.samples import item, pool

# Each is the text of a value, to stand where the field is wanted.
NO_TIME = ["null", "true", "{}", "[]", "0", "-1", '""', '"soon"', "1e30", '"-1"', '"1e9"', '"\\u0661"', "9" * 400]
NO_TITLE = ["null", "7", "{}", '""', '"  "', '"a\\u0000b"', '"a\\nb"', '"(other)"', json.dumps("é" * 129)]
NO_DATA = ["7", "true", '"x"', "[7]", "[{}, null]", '[[{"a": 1}]]', '{"n": 9223372036854775808}', '{"n": 1e999}']
NO_DATA += ['{"a\\u0000": 1}', '{"a": [' + "[" * 40 + "]" * 40 + "]}", json.dumps({"x": "y" * 262_144})]
WRONG = {"Timestamp": NO_TIME, "Event": NO_TITLE, "Data": NO_DATA}
DAMAGE = st.sampled_from([(field, text) for field, texts in WRONG.items() for text in texts])

PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.sampled_from(["$where", "a.b", "", "_id", "$ref", "$id", "$db", "__proto__", "é"]) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(PLAIN | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=10)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


async def add(body: bytes) -> tuple[Answer, Rig]:
    async for rig in running_rig(Rig()):
        return await rig.add(body), rig
    raise AssertionError


def refused(runner: asyncio.Runner, body: bytes) -> tuple[int, str]:
    """StatusCode and message of a 400; nothing was published."""
    answer, rig = runner.run(add(body))
    assert (400, 3, False) == (answer.status, answer.json["Severity"], answer.json["Content"])
    assert [] == rig.analytics_topic.records
    return answer.json["StatusCode"], answer.json["StatusMessage"]


def with_text(items: list[dict[str, Any]], at: int, field: str, text: str) -> bytes:
    """The pool with `text` as a field of one item."""
    items = [one | {field: "here"} if i == at else one for i, one in enumerate(items)]
    return pool(*items).replace(b'"here"', text.encode())


@hostile
@given(damage=DAMAGE, before=st.integers(0, 3), after=st.integers(0, 2))
def test_a10_a_wrong_value_is_named_by_item_and_field(
    runner: asyncio.Runner, damage: tuple[str, str], before: int, after: int
) -> None:
    """At any position among good ones."""
    field, text = damage
    items = [item(f"T{n}", NOW, n=n) for n in range(before + 1 + after)]
    code, message = refused(runner, with_text(items, before, field, text))
    assert 2 == code
    assert message.startswith(f"eventData[{before}]"), message
    assert message.removeprefix(f"eventData[{before}]").startswith((f".{field}", ": is larger")), message


@hostile
@given(text=NO_JSON, field=st.sampled_from(["Timestamp", "Event", "Data"]))
def test_b2_what_is_no_json_is_told_as_such_or_by_its_place(runner: asyncio.Runner, text: bytes, field: str) -> None:
    """Nested too deeply is either."""
    body = pool(item() | {field: "here"}).replace(b'"here"', text)
    code, message = refused(runner, body)
    assert code == 1 or message.startswith("eventData[0]"), message


@hostile
@given(data=st.dictionaries(NAMES, VALUES) | st.lists(st.dictionaries(NAMES, VALUES), max_size=3))
def test_a9_any_data_of_json_is_taken_and_read_back_equal(runner: asyncio.Runner, data: object) -> None:
    """Whatever its names mean elsewhere; in its order."""
    answer, rig = runner.run(add(pool({"Timestamp": NOW, "Event": "A", "Data": data})))
    assert (200, 0) == (answer.status, answer.json["StatusCode"])
    (kept,) = rig.pool_worker.items.values()
    assert json.dumps(data) == json.dumps(kept.data)


@hostile
@given(body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode), form=st.booleans())
def test_any_bytes_are_answered_and_never_a_bug(runner: asyncio.Runner, body: bytes, *, form: bool) -> None:
    """JSON, a form, or neither."""

    async def sent() -> Answer:
        rig = Rig()
        return await rig.add(body, content_type="application/x-www-form-urlencoded" if form else "application/json")

    answer = runner.run(sent())
    assert (400, {"StatusCode", "Severity", "StatusMessage", "Content"}) == (answer.status, answer.json.keys())
