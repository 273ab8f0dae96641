"""What twice as much costs: every decoder of an analytics body, in every way that a body can grow.

Steps are counted (tests/steps.py), so that no test depends on how quick a machine is.
"""

import base64
import json
import unicodedata
from collections.abc import Callable
from itertools import groupby
from types import SimpleNamespace
from typing import Literal

import pytest

from ingress.refusals.recorder import piece_of
from schemas.analytics.body import FORM_TYPE, JSON_TYPE, identities, parse_analytics, read_sent
from schemas.analytics.items import MAX_SENT_TITLE_CHARACTERS
from schemas.analytics.stored import stored_bytes
from schemas.wire.depth import is_deeper, is_fuller
from tests.bodies.pools import GOOD, nested
from tests.steps import steps_of

# Of the smaller body: large enough that what every body costs is little beside it.
N = 400
MOST = 2.2


def pool(*items: str, more: str = "") -> str:
    return f'{{{more}"eventData":[{",".join(items)}]}}'


def with_data(data: str) -> str:
    return pool(f'{{"Timestamp":1790000000,"Event":"A","Data":{data}}}')


def with_x(value: str) -> str:
    return with_data('{"x":' + value + "}")


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def list_of(value: str, count: int) -> str:
    return f"[{','.join([value] * count)}]"


GROWING: dict[str, Callable[[int], str]] = {
    "items": lambda n: pool(*[GOOD] * n),
    "bad items": lambda n: pool(*["1"] * n),
    "items bad in their data": lambda n: pool(*[GOOD.replace('"n":1', '"n":1e999')] * n),
    "keys of data": lambda n: with_data(json.dumps({f"k{i}": i for i in range(n)})),
    "keys of an item": lambda n: pool(GOOD[:-1] + "".join(f',"k{i}":1' for i in range(n)) + "}"),
    "one key again and again": lambda n: with_data("{" + ",".join(['"k":1'] * n) + "}"),
    "elements": lambda n: with_x(list_of("[]", n)),
    "integers": lambda n: with_x(list_of("7", n)),
    "long integers": lambda n: with_x(list_of("9" * 30, n)),
    "digits of an integer": lambda n: with_x("9" * 50 * n),
    "digits of a fraction": lambda n: with_x("0." + "9" * 50 * n),
    "digits of a timestamp": lambda n: pool('{"Event":"A","Timestamp":"' + "1" * 50 * n + '"}'),
    "blanks around a title": lambda n: pool('{"Timestamp":1790000000,"Event":"' + " " * 50 * n + 'A"}'),
    "text": lambda n: with_x(json.dumps("y" * 50 * n)),
    "escapes": lambda n: with_x('"' + "\\u00e9" * 10 * n + '"'),
    "pairs of surrogates": lambda n: with_x('"' + "\\ud83d\\ude00" * 5 * n + '"'),
    "a lone surrogate at the end": lambda n: with_x('"' + "\\ud83d\\ude00" * 5 * n + '\\ud800"'),
    "depth within the bound": lambda n: with_x(nested(15 * n // N)),
    "depth beyond the bound": lambda n: with_x(nested(20 * n)),
    "a long name and what is in it": lambda n: with_data('{"' + "k" * 5 * n + '":' + list_of("[]", n) + "}"),
    "a long name and a bad value": lambda n: with_data('{"' + "k" * 5 * n + '":' + list_of("[]", n)[:-1] + ",1e999]}"),
    "an error at the end": lambda n: pool(*[GOOD] * n) + "x",
    "an error on the last line": lambda n: pool(*[GOOD + "\n"] * n)[:-1],
    "an unknown name of the envelope": lambda n: pool(GOOD, more='"x":' + list_of("[]", n) + ","),
    "tokens within the bound": lambda n: pool(*[GOOD] * (n // 10), more='"Token":"a",' * (45 * n // N)),
    "tokens beyond the bound": lambda n: pool(GOOD, more='"Token":"a",' * n),
    "blanks": lambda n: pool(GOOD) + " " * 50 * n,
    "media": lambda n: pool(GOOD, more='"mediaInfo":"' + base64_of("[" + "1," * 5 * n + "1]") + '",'),
    "events as text": lambda n: json.dumps({"eventData": list_of(GOOD, n)}),
}
FORMS: dict[str, Callable[[int], str]] = {
    "fields": lambda n: "&".join(["x=1"] * n),
    "tokens": lambda n: "&".join(["token=abc"] * (n // 10)),
    "a name": lambda n: "%54" * 10 * n + "=1",
    "percents": lambda n: "eventData=" + "%20" * 10 * n + "[]",
    "pluses": lambda n: "eventData=" + "+" * 50 * n + "[]",
}


def all_of(body: str, content_type: str = JSON_TYPE) -> None:
    """All that is made of a body on its way."""
    batch = parse_analytics(read_sent(body.encode(), content_type))
    identities(batch, "demo/ann", None)
    stored_bytes(batch, "demo", "ann", None)
    for entry in batch.bad_entries:
        piece_of(entry)


def ratio(made: Callable[[int], str], call: Callable[[str], object]) -> float:
    once, twice = made(N), made(2 * N)
    return steps_of(lambda: call(twice)) / steps_of(lambda: call(once))


@pytest.mark.parametrize("name", GROWING)
def test_b9_twice_the_body_takes_twice_the_steps(name: str) -> None:
    """Whatever it is that it has twice of."""
    assert ratio(GROWING[name], all_of) <= MOST


@pytest.mark.parametrize("name", FORMS)
def test_b9_twice_the_form_takes_twice_the_steps(name: str) -> None:
    """Its parts, their names, and how they are escaped."""
    assert ratio(FORMS[name], lambda body: all_of(body, FORM_TYPE)) <= MOST


@pytest.mark.parametrize("text", ["[", '{"a":', '""', '"\\"', "\\\\", ",", "[]", '"[', "x"])
@pytest.mark.parametrize("count", [is_deeper, is_fuller])
def test_b9_counting_takes_twice_the_steps_of_any_text_twice_as_long(
    count: Callable[[bytes, int], bool], text: str
) -> None:
    """JSON or not; where it can't stop early."""
    assert ratio(lambda n: text * 500 * n, lambda body: count(body.encode(), 10**9)) <= MOST
    assert ratio(lambda n: text * 500 * n, lambda body: count(body.encode(), 1)) <= MOST


def test_a8_twice_the_marks_of_a_title_take_no_more_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Normalising takes the square of the marks in a row: it is given no more than a good title can have."""
    taken = [0]

    def normalize(form: Literal["NFC"], text: str) -> str:
        marks = (
            len(list(run)) for is_mark, run in groupby(text, lambda one: unicodedata.combining(one) > 0) if is_mark
        )
        taken[0] += len(text) + sum(count**2 for count in marks)
        return unicodedata.normalize(form, text) if len(text) < N else text

    monkeypatch.setattr("schemas.analytics.items.unicodedata", SimpleNamespace(normalize=normalize))
    for count in (100, 150, 10_000, 150_000):
        all_of(pool('{"Timestamp":1790000000,"Event":"a' + "\u0300\u0316" * count + '"}'))
    assert 0 < taken[0] <= 200**2 + 300**2 + 2 * MAX_SENT_TITLE_CHARACTERS


def test_steps_by_the_square_are_seen() -> None:
    """What this suite found: a token blanked by copying its text, a path written for every value."""

    def blanked(text: str) -> str:
        for at in range(0, len(text), 10):
            text = f"{text[:at]}x{text[at + 1 :]}"
        return text

    def paths(values: list[int], path: str) -> list[int]:
        for at in range(len(values)):
            inner = f"{path}[{at}]"
            values[at] = len(inner)
        return values

    assert ratio(lambda n: "a" * 10 * n, blanked) > 3.5
    assert ratio(lambda n: "k" * n, lambda key: paths(list(range(len(key))), key)) > 3.5
