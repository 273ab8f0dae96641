"""The structs read what the models of the documents describe: the same bodies, with the same values (B2, G3 to G5)."""

import json
import re
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from pydantic import ValidationError

from schemas.games import models as wire
from schemas.games.body import _REQUEST, EventRecordRequest, parse_request
from schemas.openapi.examples import BATCHES
from schemas.wire.depth import MAX_DEPTH, is_deeper
from schemas.wire.json_text import flaw_of, without_constants
from schemas.wire.malformed import MAX_VIOLATIONS, UNKNOWN_FIELD, MalformedBody
from tests.bodies.batches import BODIES, EDGES, NO_INT64, batches
from tests.examples import examples
from tests.samples import HOUR, MINUTE, NOW, batch, period, update

Facts = tuple[Any, ...]


def facts(request: EventRecordRequest | wire.EventRecordRequest) -> Facts:
    """All fields of a batch."""
    return (
        request.kind,
        request.request_id,
        request.current_time_millis,
        [
            (
                one.kind,
                (one.time_period.kind, one.time_period.period_start_millis, one.time_period.period_end_millis),
                [(u.kind, u.definition_id, u.update_count) for u in one.updates],
            )
            for one in request.time_periods
        ],
    )


def described(body: bytes) -> Facts | None:
    """What the models and the rules beyond them say of a body: None is refused."""
    if is_deeper(body) or flaw_of(body):
        return None
    try:
        request = wire.EventRecordRequest.model_validate_json(body)
    except ValidationError:
        return None
    clock = request.current_time_millis
    return None if request.request_id == 0 or (clock is not None and clock < 0) else facts(request)


def read(body: bytes) -> Facts | tuple[str, ...]:
    """Its fields, or the names of the wrong ones."""
    try:
        return facts(parse_request(body))
    except MalformedBody as error:
        found = error.violations
    assert 1 <= len(found) <= MAX_VIOLATIONS
    assert all(violation.description for violation in found)
    return tuple(violation.field for violation in found)


def has_long_digits(body: bytes) -> bool:
    """The models' reader refuses numbers of thousands of digits wherever they stand, also where they don't count."""
    return b"9" * 4300 in body


@settings(max_examples=examples(400), deadline=None)
@given(BODIES)
@example(b'{"requestId":"1","currentTimeMillis":"null"}')
@example(b'{"requestId":"1","kind":"null","timePeriods":null}')
@example(b'{"requestId":7.0,"requestId":"1","kind":[[]],"kind":"x"}')
def test_b2_the_structs_accept_what_the_models_describe(body: bytes) -> None:
    """B2, G3: with the same values; whatever is refused names a field or the body."""
    assert agreed(body)


GOOD = batch(period(update()), currentTimeMillis="3").decode()
INT64_PLACES = {
    "requestId": '"requestId": "1"',
    "currentTimeMillis": '"currentTimeMillis": "3"',
    "periodStartMillis": f'"periodStartMillis": "{NOW - HOUR}"',
    "periodEndMillis": f'"periodEndMillis": "{NOW - HOUR + MINUTE}"',
    "updateCount": '"updateCount": "1"',
}
NUMBERS = [
    *NO_INT64,
    "null",
    "-0",
    '"-0"',
    '"-inf"',
    '"-nan"',
    "NaN",
    "Infinity",
    "-Infinity",
    "7E0",
    '"7e0"',
    "0.1",
    "5e-324",
]
NUMBERS += [f"{quote}{number}{quote}" for number in EDGES for quote in ("", '"')]
NUMBERS += [
    "1.7976931348623157e308",
    '"1.7976931348623157e308"',
    "-9223372036854775808.0",
    "18446744073709551616",
    "007",
]


@pytest.mark.parametrize("name", INT64_PLACES)
@pytest.mark.parametrize("text", NUMBERS)
def test_g3_every_int64_is_read_as_the_models_read_it(name: str, text: str) -> None:
    """G3: wherever it stands; also where another value of the same name comes before or behind it."""
    place = INT64_PLACES[name]
    for spelt in (f'"{name}": {text}', f'{place}, "{name}": {text}', f'"{name}": {text}, {place}'):
        assert agreed(GOOD.replace(place, spelt).encode())


HOSTILE = [
    b"",
    b" \r\n\t",
    b"\xef\xbb\xbf" + GOOD.encode(),
    GOOD.encode("utf-16"),
    GOOD.encode() + b"\0",
    GOOD.encode() * 2,
    GOOD.replace("LEVEL_UP", "\\ud800").encode(),
    GOOD.replace("LEVEL_UP", "\\ud83d\\ude00").encode(),
    GOOD.replace("LEVEL_UP", "\\u0000").encode(),
    GOOD.replace("LEVEL_UP", "\0").encode(),
    GOOD.encode().replace(b"LEVEL_UP", b"\xff"),
    GOOD.encode().replace(b"LEVEL_UP", b"\xed\xa0\x80"),
    GOOD.replace('"definitionId"', '"\\u0064efinitionId"').encode(),
    GOOD.replace('"definitionId"', '"DefinitionId"').encode(),
    GOOD.replace('"updates"', '"updates": [7], "updates"').encode(),
    GOOD.replace('"updates"', '"updates": null, "updates"').encode(),
    GOOD.replace('"timePeriod"', '"timePeriod": null, "timePeriod"').encode(),
    GOOD.replace('{"timePeriod"', 'null, {"timePeriod"').encode(),
    GOOD[:-1].encode() + b', "timePeriods": []}',
    GOOD[:-1].encode() + b', "timePeriods": null}',
    GOOD[:-1].encode() + b",}",
    b"[" + GOOD.encode() + b"]",
    b'{"requestId":"1","kind":%b}' % (b"[" * 64 + b"]" * 64),
    b'{"requestId":"1","kind":"%b"}' % (b"[" * 5_000),
]


@pytest.mark.parametrize("body", HOSTILE)
def test_b2_a_hostile_body_is_read_as_the_models_read_it(body: bytes) -> None:
    """B2: names twice, escapes, marks of byte order, halves of pairs, NUL, depth."""
    assert agreed(body)


def test_b2_the_examples_of_the_documents_are_read_as_the_models_read_them() -> None:
    """B2: each of them, as it stands, with its names in any order, and with integers in place of strings of digits."""
    for example_body in BATCHES.values():
        text = json.dumps(example_body)
        turned = json.dumps(dict(reversed(example_body.items())))
        for one in (text, turned, re.sub(r'"(-?[0-9]+)"', r"\1", text)):
            assert isinstance(agreed(one.encode())[1], int), "the requestId: it is a batch"


def agreed(body: bytes) -> Facts:
    """What both readers make of a body; of a refused one the fields that are wrong."""
    expected, found = described(body), read(body)
    if expected is None:
        assert has_long_digits(body) or all(isinstance(field, str) for field in found)
    else:
        assert expected == found
        whole = _REQUEST.read(body)
        assert whole is None or facts(whole) == expected, "at once, or part by part"
    return found


@settings(max_examples=examples(200), deadline=None)
@given(batches(40))
def test_b2_a_good_body_is_accepted_on_the_second_way_as_on_the_first(body: bytes) -> None:
    """B2: a bad value before a good one of the same name changes nothing."""
    expected = read(body)
    if isinstance(expected[0], str) and expected[0]:
        return  # a field is wrong
    again = body.replace(b"{", b'{"kind":[7],"kind":null,', 1)
    if b'"kind":"' not in body:
        assert expected == read(again)


@settings(max_examples=examples(100), deadline=None)
@given(BODIES)
def test_b2_the_verdict_is_the_same_in_any_thread_and_at_any_depth_of_the_stack(body: bytes) -> None:
    """B2: it is a function of the bytes alone."""
    expected = read(body)
    assert expected == deep_in_the_stack(lambda: read(body))
    found: list[Facts] = []
    thread = threading.Thread(target=lambda: found.append(deep_in_the_stack(lambda: read(body))))
    thread.start()
    thread.join()
    assert [expected] == found


def deep_in_the_stack(call: Callable[[], Facts], spare: int = 200) -> Facts:
    """The result of a call that has only `spare` frames left."""
    frame, used = sys._getframe(), 0
    while (outer := frame.f_back) is not None:
        frame, used = outer, used + 1

    def down(levels: int) -> Facts:
        return call() if levels <= 0 else down(levels - 1)

    return down(sys.getrecursionlimit() - used - spare)


@pytest.mark.parametrize("levels", [MAX_DEPTH, MAX_DEPTH + 1, 199, 201, 960, 975, 990, 5_000])
@pytest.mark.parametrize("place", ["kind", "requestId", "extra", "timePeriods"])
def test_b2_depth_is_judged_before_anything_else(levels: int, place: str) -> None:
    """B2: in a value that is ignored, and in one that is not. Bodies within the limit are judged by their content."""
    inside = b"[" * (levels - 1) + b"]" * (levels - 1)
    body = b'{"%b":%b,"requestId":"7","timePeriods":[]}' % (place.encode(), inside)
    with_last = {"kind": ("kind",), "extra": ("extra",)}
    assert (("",) if levels > MAX_DEPTH else with_last.get(place, facts(parse_request(batch(request_id=7))))) == read(
        body
    )


@pytest.mark.parametrize("text", [text for text in NO_INT64 if text not in ("[]", "{}")])
@pytest.mark.parametrize("name", ["requestId", "currentTimeMillis"])
def test_g3_an_int64_has_one_spelling(text: str, name: str) -> None:
    """G3: fractions, exponents, padding, words."""
    assert (name,) == read(f'{{"requestId":"1","{name}":{text}}}'.encode())


def test_b2_a_reason_holds_nothing_of_the_clients() -> None:
    """The reason of an unreadable record names the field, never its value or an invented name."""
    for body, expected in [
        (batch(**{"my secret": 1}), f"an unknown field: {UNKNOWN_FIELD}"),
        (batch({"updates": []}), "timePeriods[0].timePeriod: Field required"),
        (b"{", "body: Invalid JSON: it ends early at line 1 column 2"),
    ]:
        with pytest.raises(MalformedBody) as caught:
            parse_request(body)
        assert expected == caught.value.reason


def test_b2_syntax_is_named_by_line_and_column() -> None:
    """B2: in msgspec's words."""
    assert "" == flaw_of(b' {"a": [1, "\\u00e9"]} ')
    assert "Invalid JSON: trailing comma in array at line 2 column 4" == flaw_of(b"[\n 1,]")
    assert "Invalid JSON: not UTF-8 at line 1 column 3" == flaw_of(b'["\xff"]')
    assert "Invalid JSON: it ends early at line 2 column 1" == flaw_of(b'{"a":\n')


def test_b2_nan_in_a_string_is_text() -> None:
    """B2: only a constant is put aside."""
    assert b'["NaN",1e400,"-Infinity",1e400]' == without_constants(b'["NaN",NaN,"-Infinity",-Infinity]')
    assert ("",) == read(b'{"requestId":NaN,"requestId":"1"}'), "refused, though it doesn't count"


def test_b2_what_no_model_explains_is_refused_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Structs alone accept; a disagreement costs a message, never an exception."""
    monkeypatch.setattr(wire.EventRecordRequest, "model_validate_json", lambda _: None)
    assert ("",) == read(b'{"requestId":"007"}')


def test_a_part_is_written_as_it_was_sent() -> None:
    """For the sample of refusals: without missing fields, int64 as strings."""
    (one,) = parse_request(batch(period(update(count=3), start=1))).time_periods
    assert b'{"periodStartMillis":"1","periodEndMillis":"60001"}' == one.time_period.as_sent()
    assert b'{"definitionId":"LEVEL_UP","updateCount":"3"}' == one.updates[0].as_sent()
