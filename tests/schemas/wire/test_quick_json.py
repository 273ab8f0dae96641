"""The quick reader of small objects returns what the strict one returns, or leaves the text to it."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.analytics.body import JSON_TYPE, MalformedAnalytics, parse_analytics, read_batch, read_sent
from schemas.wire.int64 import INT64_MAX
from schemas.wire.quick_json import MAX_QUICK_BYTES, quick_object
from schemas.wire.strict_json import MAX_MEMBERS, BadJson, TooManyValues, read_members, text_of
from schemas.wire.values import TooLarge
from tests.bodies.pools import NUMBERS, ODD, TEXTS, Body, bodies, nested
from tests.examples import examples

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def strictly(text: bytes) -> dict[str, Any] | None:
    """By the strict reader; None is refused."""
    try:
        return {member.key: member.value for member in read_members(text_of(text))}
    except (BadJson, TooManyValues):
        return None


def spelt(value: Any) -> str:  # noqa: ANN401 any JSON value
    """With the types and the order of it all. Integers beyond int64 are only that: the strict reader cuts them."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name!r}:{spelt(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(spelt, value)) + "]"
    if type(value) is int and abs(value) > INT64_MAX + 1:
        return "beyond" if value > 0 else "-beyond"
    return repr(value)


def agreed(text: bytes) -> bool:
    """Whether the quick reader read it; then it is what the strict one reads."""
    found = quick_object(text)
    if found is not None:
        expected = strictly(text)
        assert expected is not None
        assert spelt(expected) == spelt(found)
    return found is not None


@settings(max_examples=examples(500), deadline=None)
@given(bodies())
def test_hostile_bodies_are_read_alike(body: Body) -> None:
    """And so is the batch in them: the same items, the same violations."""
    agreed(body.sent)
    assert outcome(lambda: parse_analytics(read_sent(*body))) == outcome(lambda: read_batch(*body))


def outcome(read: Any) -> object:  # noqa: ANN401 a reader
    """What is read, with the types of its values, or why it isn't."""
    try:
        found = read()
    except (MalformedAnalytics, TooLarge) as error:
        return type(error), str(error)
    return (
        found.request_id,
        found.media,
        [(i, one, spelt(one.data), spelt(one.extra)) for i, one in found.items.items()],
        found.bad,
    )


@settings(max_examples=examples(300), deadline=None)
@given(st.dictionaries(st.text(max_size=4), JSON_VALUES, max_size=4), st.booleans(), st.sampled_from([None, 1]))
def test_what_any_client_writes_is_read_at_once(value: dict[str, Any], ascii_only: bool, indent: int | None) -> None:  # noqa: FBT001 hypothesis's
    """Unless it holds half of a pair."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode(errors="surrogatepass")
    has_half = any(0xD800 <= ord(sign) < 0xE000 for sign in json.dumps(value, ensure_ascii=False))
    assert agreed(text) or has_half


@pytest.mark.parametrize(
    "value", [*NUMBERS, *TEXTS, *ODD, "-0.0", "1E5", "01", "1.", '"\t"', '"\x7f"', '"\\x41"', '"\\/"', "'a'"]
)
def test_each_odd_value_is_read_alike(value: str) -> None:
    """At the top, inside, and as a name's first value of two."""
    for text in (f'{{"a":{value}}}', f'{{"a":[{{"b":{value}}}]}}', f'{{"a":{value},"a":1}}', f'{{"a":1}}{value}'):
        agreed(text.encode())
        agreed(text.encode("utf-16"))
        agreed(b"\xef\xbb\xbf" + text.encode())


@given(st.binary(max_size=20), st.integers(0, 60))
@example(b"\xff", 6)
@example(b"\xed\xa0\x80", 6)
def test_damaged_texts_are_read_alike(stranger: bytes, at: int) -> None:
    """With anything put in anywhere."""
    text = b'{"a": "\\ud83d\\ude00 text", "b": [1, -2.5e3, null, {"c": true}]}'
    agreed(text[:at] + stranger + text[at:])


@pytest.mark.parametrize("count", [1, 50, MAX_MEMBERS, MAX_MEMBERS + 1, 5_000])
@pytest.mark.parametrize("name", ["a", "", "\\u0061"])
def test_a_name_given_too_often_is_left_to_the_strict_reader(count: int, name: str) -> None:
    """It counts names, each as often as it stands there."""
    text = b"{%b}" % b",".join([b'"%b":0' % name.encode()] * count)
    assert agreed(text) == (count <= MAX_MEMBERS)


def test_many_names_inside_are_read_at_once() -> None:
    """Only those of the outermost object are bounded."""
    inside = [{"a": 1, "b": 2, "c": 3}] * 100
    assert agreed(json.dumps({"eventData": inside, "Token": ""}).encode())
    assert not agreed(b'{"a":' + b'{"b":1,' * 60 + b"}" * 200)


def test_large_and_deep_texts_are_left_to_the_strict_reader() -> None:
    """It reads the ones in parts, and refuses the others."""
    assert not agreed(json.dumps({"a": "x" * MAX_QUICK_BYTES}).encode())
    assert not agreed(f'{{"a":{nested(64)}}}'.encode())
    assert agreed(f'{{"a":{nested(60)}}}'.encode())
    assert not agreed(b"[]")
    assert read_batch(b'{"eventData":[]}', JSON_TYPE).items == {}
