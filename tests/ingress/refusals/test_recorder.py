"""Which refusals are stored, which of their bytes, and that storing them affects no request."""

import asyncio
import json
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ingress.http.metrics import Metrics
from ingress.http.refused_causes import KNOWN_CAUSES
from ingress.memory import MemoryStore
from ingress.refusals.recorder import (
    MAX_FIRST_BYTES,
    MAX_READ_BYTES,
    MAX_WAITING,
    PER_CAUSE_A_MINUTE,
    Quota,
    RefusalNote,
    RefusalRecorder,
    Sender,
    first_bytes,
    readable_request_id,
)
from serving.tokens.bearer import MAX_TOKEN_BYTES
from tests.clock import TestClock
from tests.ingress.rig import NOW, token
from tests.patience import PATIENCE_SECONDS

SENDER = Sender("games", "demo", "ann", b"opaque-token", NOW)


class Sampling:
    """A sample on a store in memory."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.metrics = Metrics()
        self.refusals = RefusalRecorder(self.store, TestClock(), self.metrics)

    def not_kept(self, reason: str) -> float | None:
        return self.metrics.registry.get_sample_value(
            "tallymill_ingress_refusals_not_kept_total", {"api": "games", "reason": reason}
        )

    def kept(self) -> float | None:
        return self.metrics.registry.get_sample_value("tallymill_ingress_refusals_kept_total", {"api": "games"})


def test_of_one_app_and_cause_the_first_few_a_minute_are_kept() -> None:
    """Then again in the next minute."""
    quota = Quota(per_cause_a_minute=2)
    assert [True, True, False] == [quota.takes("demo", "NOT_FOUND", 60 + now) for now in (0, 1, 59.9)]
    assert quota.takes("demo", "NOT_FOUND", 120)


def test_a_noisy_app_hides_neither_another_app_nor_its_own_other_causes() -> None:
    """Not even in the second in which it comes with every cause there is."""
    quota = Quota()
    taken = Counter(cause for _ in range(100) for cause in KNOWN_CAUSES if quota.takes("noisy", cause, 0))
    assert dict.fromkeys(KNOWN_CAUSES, PER_CAUSE_A_MINUTE) == taken
    assert quota.takes("quiet", "NOT_FOUND", 0)


@given(st.lists(st.tuples(st.floats(0, 30), st.sampled_from("ab"), st.sampled_from("xyz")), max_size=80))
def test_no_second_and_no_minute_holds_more_than_allowed(notes: list[tuple[float, str, str]]) -> None:
    """Whatever comes when."""
    quota, now = Quota(per_cause_a_minute=3, per_second=2), 0.0
    taken: list[tuple[int, str, str]] = []
    for gap, app, cause in notes:
        now += gap
        if quota.takes(app, cause, now):
            taken.append((int(now), app, cause))
    assert all(sum(other[0] == one[0] for other in taken) <= 2 for one in taken)
    minutes = [(second // 60, app, cause) for second, app, cause in taken]
    assert all(minutes.count(one) <= 3 for one in minutes)


async def test_what_is_noted_is_written_in_one_insert_with_all_that_is_known() -> None:
    """The id is read out of a body that is no batch, if it has one."""
    one = Sampling()
    one.refusals.note(SENDER, RefusalNote("MALFORMED", "odd", b'{"requestId":"9","odd":1}'))
    one.refusals.note(SENDER, RefusalNote("MALFORMED", "", b"no JSON"))
    one.refusals.note(SENDER, RefusalNote("NOT_FOUND", "timePeriods[0].updates[0].definitionId", b"{}", 7))
    await one.refusals.write()
    assert 1 == one.store.reads["add_refusals"]
    assert [9, None, 7] == [refusal.request_id for refusal in one.store.refused]
    first = one.store.refused[0]
    assert ("demo", "ann", "MALFORMED", "odd", NOW) == (
        first.app,
        first.player,
        first.cause,
        first.field,
        first.at_millis,
    )
    assert b'{"requestId":"9","odd":1}' == first.first_bytes
    assert 3 == one.kept()


async def test_the_background_task_writes_what_comes() -> None:
    """And continues after MongoDB was unavailable; the outage is two lines."""
    one = Sampling()
    with capture_logs() as lines:
        task = asyncio.create_task(one.refusals.run())
        for reads, one.store.away in ((1, True), (2, False)):
            one.refusals.note(SENDER, RefusalNote("TOO_LARGE"))
            async with asyncio.timeout(PATIENCE_SECONDS):
                while one.store.reads.get("add_refusals") != reads:  # noqa: ASYNC110 the task gives no sign
                    await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        task.cancel()
    assert ["refusals_not_kept", "refusals_kept_again"] == [line["event"] for line in lines]
    assert (1, 1) == (one.not_kept("away"), one.kept())
    assert ["TOO_LARGE"] == [refusal.cause for refusal in one.store.refused]


async def test_what_is_left_out_is_counted_by_reason() -> None:
    """Beyond the rate, beyond the room, and what MongoDB did not take."""
    one = Sampling()
    for _ in range(PER_CAUSE_A_MINUTE + 5):
        one.refusals.note(SENDER, RefusalNote("NOT_FOUND"))
    one.store.away = True
    await one.refusals.write()
    await one.refusals.write()
    assert (5, PER_CAUSE_A_MINUTE) == (one.not_kept("rate"), one.not_kept("away"))
    one.refusals._quota = Quota(per_cause_a_minute=10**6, per_second=10**6)
    for _ in range(MAX_WAITING + 2):
        one.refusals.note(SENDER, RefusalNote("NOT_FOUND"))
    assert 2 == one.not_kept("full")


JWT = token().encode()


@pytest.mark.parametrize(
    "piece",
    [
        b'{"Token":"' + JWT + b'"}',
        b'{"note":"' + JWT + b'"}',
        b"Token=" + JWT + b"&eventData=[]",
        b'{"x":"' + b" " * (MAX_FIRST_BYTES - 20) + JWT + b'"}',
        b'{"x":"' + json.dumps(JWT.decode()).replace("e", "\\u0065").encode() + b'"}',
        JWT.decode().encode("utf-16"),
        b'{"requestId": opaque-token}',
        b'"' + b" " * (MAX_FIRST_BYTES - 4) + b'opaque-token"',
        b'{"accessToken" : "secret-word"}',
        b'{\\"password\\":\\"secret-word\\"}',
        b"Authorization: Bearer secret-word",
        b"api_key=secret-word&x=1",
        b"eyJ" + b"A" * MAX_TOKEN_BYTES * 2,
    ],
)
def test_b6_no_credential_is_kept(piece: bytes) -> None:
    """B6: neither the request's token, wherever it is, nor anything like a token; not even a part of it."""
    kept = first_bytes(piece, b"opaque-token")
    for secret in (JWT[:12], JWT.rpartition(b".")[2][:12], b"opaque", b"secret-word", b"AAAA"):
        assert secret not in kept
    assert b"***" in kept or len(kept) == MAX_FIRST_BYTES
    assert len(kept) <= MAX_FIRST_BYTES


async def test_b6_nor_in_the_name_of_a_field() -> None:
    """B6: an unknown field is named by its client."""
    one = Sampling()
    one.refusals.note(SENDER, RefusalNote("MALFORMED", f"timePeriods[0].{token()}", b"{}"))
    await one.refusals.write()
    assert "timePeriods[0].***" == one.store.refused[0].field


@given(st.binary(max_size=600))
def test_whatever_the_bytes_are_a_few_of_them_are_kept(piece: bytes) -> None:
    """Never an exception: it would cost its request the answer."""
    assert len(first_bytes(piece, b"")) <= MAX_FIRST_BYTES


@pytest.mark.parametrize("unit", [b"token", b"token ", b"token=", b"eyJ", b"eyJ.", b"\\u0074oken", b'token"', b"\0"])
def test_no_body_is_made_that_takes_long(unit: bytes) -> None:
    """Sampling runs on the loop that serves requests: the worst costs milliseconds; one that backtracks, minutes."""
    piece = unit * (MAX_TOKEN_BYTES * 2 // len(unit))
    started = time.process_time()
    for _ in range(20):
        first_bytes(piece, b"opaque-token")
    assert time.process_time() - started < 20 * 0.25


def test_what_is_no_secret_is_kept_as_it_is() -> None:
    """Otherwise the sample would be of no use."""
    piece = b'{"definitionId":"LEVEL_UP","updateCount":"0"}'
    assert piece == first_bytes(piece, b"opaque-token")


def test_only_a_small_body_is_read_again_for_its_request_id() -> None:
    """Of a large one the sample keeps the first bytes."""
    body = b'{"requestId":"7","more":"%b"}'
    assert 7 == readable_request_id(body % (b"x" * (MAX_READ_BYTES - len(body) + 2)))
    assert None is readable_request_id(body % (b"x" * MAX_READ_BYTES))
