"""Work grows with the bytes and no faster: counted, not timed.

A step is a line of tallymill, a call of a C function, or a byte that is given to a parser, a scanner or pydantic. Each
way in which a body can grow is tried with n and with 2n parts.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import msgspec
import pytest

from ingress.games.checks import first_of_each_cause
from schemas.analytics.sessions import parse_session
from schemas.games import body as games
from schemas.games.body import EventRecordRequest, parse_request
from schemas.games.dry_run import dry_run_answer
from schemas.games.judging import accepted_updates, batch_failures, event_failures, judge, payload_crc
from schemas.settings import Limits
from schemas.wire import depth, json_text, violations
from schemas.wire.malformed import MAX_VIOLATIONS, MalformedBody
from tests.samples import MINUTE, NOW, batch, period, update

N = 600
# Twice the parts may cost a little more than twice: numbers in paths grow, hash tables are made anew.
MOST_GROWTH = 2.3
# How often a byte may be looked at, or what is done for it: three levels, each skipped, taken apart and read.
MOST_A_BYTE = 40
SHAPES = (games._REQUEST, games._PERIOD, games._RANGE, games._UPDATE)


class Steps:
    """Counts while it is active."""

    def __init__(self) -> None:
        self.count = 0

    def calls(self, _frame: FrameType, event: str, _arg: object) -> None:
        self.count += event == "c_call"

    def lines(self, _frame: FrameType, event: str, _arg: object) -> Any:  # noqa: ANN401 a trace function
        self.count += event == "line"
        return self.lines

    def looking(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, its first bytes counted."""

        def looks(*arguments: Any) -> Any:  # noqa: ANN401 any function's
            self.count += next(len(memoryview(one)) for one in arguments if isinstance(one, bytes | msgspec.Raw))
            return call(*arguments)

        return looks

    @contextmanager
    def counting(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patched:
            for shape in SHAPES:
                patched.setattr(shape, "_decode", self.looking(shape._decode))
            for module, name in [
                (violations, "_as_members"),
                (violations, "_as_elements"),
                (json_text, "_skip"),
                (json_text, "_constants"),
                (depth, "_without_strings"),
                (depth, "_count"),
            ]:
                patched.setattr(module, name, self.looking(getattr(module, name)))
            patched.setattr(violations.Shape, "errors", self.looking(violations.Shape.errors))
            traced, profiled = sys.gettrace(), sys.getprofile()
            sys.settrace(self.lines)
            sys.setprofile(self.calls)
            try:
                yield
            finally:
                sys.setprofile(profiled)
                sys.settrace(traced)


def steps_of(call: Callable[[], object]) -> int:
    steps = Steps()
    with steps.counting():
        call()
    return steps.count


def assert_linear(made: Callable[[int], bytes], call: Callable[[bytes], Callable[[], object]]) -> None:
    once, twice = made(N), made(2 * N)
    few, many = steps_of(call(once)), steps_of(call(twice))
    assert many <= MOST_GROWTH * few + 500, f"{few} steps for {len(once)} bytes, {many} for {len(twice)}"
    assert many <= MOST_A_BYTE * len(twice) + 5_000


def parsed(body: bytes) -> Callable[[], object]:
    def parse() -> object:
        with contextlib.suppress(MalformedBody):
            return parse_request(body)
        return None

    return parse


GOOD = json.dumps(period(update(), update(count=7)))
SPAN = '"timePeriod":{"periodStartMillis":1,"periodEndMillis":"2"}'


def periods(*parts: str) -> bytes:
    return f'{{"requestId":"7","timePeriods":[{",".join(parts)}]}}'.encode()


def names(count: int) -> str:
    return ",".join(f'"name{number}":1' for number in range(count))


def in_period(*updates: str) -> bytes:
    return periods(f'{{{SPAN},"updates":[{",".join(updates)}]}}')


ONE = json.dumps(update())
GROWING: dict[str, Callable[[int], bytes]] = {
    "keys: unknown": lambda n: f'{{"requestId":"7",{names(n)}}}'.encode(),
    "keys: unknown in a range": lambda n: periods(f'{{"timePeriod":{{{names(n)}}}}}'),
    "keys: unknown in an update": lambda n: in_period(f"{{{names(n)}}}"),
    "members: periods": lambda n: periods(*[GOOD] * n),
    "members: updates": lambda n: in_period(*[ONE] * n),
    "members: nulls": lambda n: periods(*[f'{{{SPAN},"updates":null}}'] * n),
    "members: one null before all": lambda n: periods(f'{{{SPAN},"updates":null}}', *[GOOD] * n),
    "depth: beyond": lambda n: b"[" * n * 10,
    "depth: objects": lambda n: b'{"kind":' * n,
    "depth: within, and wide": lambda n: periods(*["[" * 50 + "]" * 50] * n),
    "depth: in a value that does not count": lambda n: b'{"kind":%b,"requestId":"7"}' % (b"[" * 60 + b"{}," * n),
    "length: a string": lambda n: batch(kind="x" * n * 50),
    "length: an id": lambda n: batch(period(update("x" * n * 50))),
    "length: a name": lambda n: batch(**{"x" * n * 50: 1}),
    "length: digits": lambda n: f'{{"requestId":"{"9" * n * 50}"}}'.encode(),
    "length: a number": lambda n: f'{{"requestId":{"9" * n * 50}}}'.encode(),
    "length: a fraction": lambda n: f'{{"requestId":0.{"0" * n * 50}1}}'.encode(),
    "length: blanks": lambda n: batch(period(update())) + b" " * n * 50 + b"x",
    "length: lines": lambda n: batch(period(update())) + b"\n" * n * 50 + b"x",
    "repeats: good": lambda n: b"{%b}" % b",".join([b'"requestId":"7"'] * n),
    "repeats: bad, then good": lambda n: b'{%b,"requestId":"7"}' % b",".join([b'"requestId":0.5'] * n),
    "repeats: arrays": lambda n: periods(f'{{{SPAN},{",".join([f"{chr(34)}updates{chr(34)}:[{ONE}]"] * n)},"kind":7}}'),
    "repeats: each update twice": lambda n: in_period(*['{"updateCount":"x","updateCount":1,"definitionId":"A"}'] * n),
    "escapes: a string": lambda n: b'{"requestId":"7","kind":"%b"}' % (b"\\u0041" * n * 10),
    "escapes: a name": lambda n: b'{"requestId":"7","%b":1}' % (b"\\ud83d\\ude00" * n * 10),
    "escapes: without an end": lambda n: b'{"requestId":"7","kind":"' + b'\\"' * n * 10,
    "escapes: backslashes": lambda n: b'{"requestId":"7","kind":"' + b"\\" * n * 10,
    "escapes: quotes": lambda n: b'""' * n * 10,
    "errors: all": lambda n: periods(*["7"] * n),
    "errors: all objects": lambda n: periods(*["{}"] * n),
    "errors: the last": lambda n: periods(*[GOOD] * n, "7"),
    "errors: the last update": lambda n: in_period(*[ONE] * n, "7"),
    "errors: some": lambda n: periods(*([GOOD] * (n // 30) + ["7"]) * 30),
    "errors: in each period": lambda n: periods(*[f'{{{SPAN},"updates":[{",".join([ONE] * (n // 20))},7]}}'] * 20),
    "errors: NaN": lambda n: periods(*["NaN"] * n),
    "errors: junk for a string": lambda n: b'{"requestId":"7","kind":[%b]}' % b",".join([b"[{}]"] * n),
    "errors: syntax": lambda n: periods(*[GOOD] * n)[:-1] + b",}",
    "errors: UTF-8": lambda n: periods(*[GOOD] * n) + b"\xff",
}


@pytest.mark.parametrize("made", GROWING.values(), ids=GROWING.keys())
def test_b2_reading_takes_steps_in_proportion(made: Callable[[int], bytes]) -> None:
    """B2: of accepted bodies, and of refused ones with all their violations."""
    assert_linear(made, parsed)


@pytest.mark.parametrize(
    "made", [GROWING["members: periods"], GROWING["errors: the last update"], GROWING["errors: all"]]
)
def test_b2_pydantic_sees_small_parts_only(made: Callable[[int], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """B2: not one that grows with the body."""
    seen: list[int] = []
    errors = violations.Shape.errors

    def noted(shape: Any, text: bytes, at: violations.Location) -> list[violations.Wrong]:  # noqa: ANN401 any shape
        seen.append(len(text))
        return errors(shape, text, at)

    monkeypatch.setattr(violations.Shape, "errors", noted)
    parsed(made(10 * N))()
    assert len(seen) <= MAX_VIOLATIONS
    assert sum(seen) < 1_000


JUDGED: dict[str, Callable[[int], bytes]] = {
    "all count": lambda n: batch(period(*[update()] * n)),
    "many events": lambda n: batch(period(*[update(f"E{number}") for number in range(n)])),
    "none is declared": lambda n: batch(period(*[update(f"X{number}") for number in range(n)])),
    "one id, never declared": lambda n: batch(period(*[update("NO")] * n)),
    "long ids": lambda n: batch(period(*[update("NO" * 500)] * (n // 20))),
    "bad counts": lambda n: batch(period(*[update(count="-1")] * n)),
    "bad periods": lambda n: batch(*[period(update(), start=NOW, end=NOW)] * n),
    "many periods": lambda n: batch(*[period(update(), start=NOW - number * MINUTE) for number in range(1, n + 1)]),
    "periods without updates": lambda n: batch(*[period()] * n),
}


class _AllButNo:
    """Declared is what begins with E or L."""

    def __contains__(self, event: str) -> bool:
        return event[0] in "EL"


def answered(request: EventRecordRequest) -> None:
    """All that is done for a batch between its reading and its record."""
    judgement = judge(request, NOW, Limits(max_updates_per_request=100_000), _AllButNo())  # type: ignore[arg-type]
    payload_crc(accepted_updates(request, judgement))
    batch_failures(request, judgement)
    event_failures(request, judgement)
    dry_run_answer(request, judgement)
    list(first_of_each_cause(request, judgement))


@pytest.mark.parametrize("made", JUDGED.values(), ids=JUDGED.keys())
def test_g8_judging_takes_steps_in_proportion(made: Callable[[int], bytes]) -> None:
    """G8 to G16: judging, counting, answering and noting."""

    def judged(body: bytes) -> Callable[[], object]:
        request = parse_request(body)
        return lambda: answered(request)

    assert_linear(made, judged)


@pytest.mark.parametrize(
    "body", [b'{"app":' + b"[" * 2_000, b'{"app":' + b"[" * 63 + b"]" * 63 + b"}", b'{"app":[' + b"[]," * 600 + b"[]]}"]
)
def test_a_sessions_body_is_refused_whatever_its_depth(body: bytes) -> None:
    """The same bound as everywhere. Its size has another one."""
    with pytest.raises(MalformedBody) as caught:
        parse_session(body)
    deep = depth.is_deeper(body)
    assert ("Nested deeper than 64" in str(caught.value)) is deep
