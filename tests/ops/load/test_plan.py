"""A load: what it sends, how it treats the answers, its sums. The ingress is a small server of the test."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from ops.load.plan import EVENTS, Batch, LoadOptions, Sums, Update, differences, shots
from ops.load.report import as_text, percentiles_millis, report
from ops.load.send import Outcomes, Refusals, Sender, Tries
from tests.patience import PATIENCE_SECONDS
from tests.samples import MINUTE, NOW

LOAD = LoadOptions(rate=50, seconds=10, players=20, duplicates=0.3, seed=7)
SHORT = LoadOptions(rate=1_000, seconds=0.02, players=3, duplicates=0, seed=1)

Answer = Callable[[web.Request, int], Awaitable[web.Response]]


def batch(count: int, player: str = "ann", minute: int = 5) -> Batch:
    return Batch(player, 1, (Update(minute * MINUTE, "COIN_FOUND", count),), b"")


def sums(*batches: Batch) -> Sums:
    total = Sums()
    for one in batches:
        total.add(one)
    return total


def test_the_same_seed_sends_the_same_load() -> None:
    """Bytes and times; another seed sends another."""
    assert list(shots(LOAD, NOW)) == list(shots(LOAD, NOW))
    other = LoadOptions(LOAD.rate, LOAD.seconds, LOAD.players, LOAD.duplicates, seed=8)
    assert list(shots(LOAD, NOW)) != list(shots(other, NOW))


def test_a_load_has_its_rate_and_its_share_of_repeats() -> None:
    """Open loop: times follow from the rate alone."""
    found = list(shots(LOAD, NOW))
    assert [i / 50 for i in range(500)] == [shot.at_seconds for shot in found]
    assert 90 < sum(shot.is_repeat for shot in found) < 180


def test_only_what_was_sent_at_least_a_second_ago_is_repeated() -> None:
    """Its first copy is answered by then, as a client's retry would be, and the bytes are the same."""
    first: dict[int, tuple[float, bytes]] = {}
    for shot in shots(LOAD, NOW):
        number = shot.batch.request_id
        if shot.is_repeat:
            at, body = first[number]
            assert at + 1 <= shot.at_seconds
            assert body == shot.batch.body
        else:
            assert number not in first
            first[number] = shot.at_seconds, shot.batch.body


def test_a_body_says_what_is_summed() -> None:
    """The sums are computed from the plan, so the plan must be what is sent."""
    for shot in shots(LOAD, NOW):
        body = json.loads(shot.batch.body)
        sent = [
            Update(int(part["timePeriod"]["periodStartMillis"]), update["definitionId"], int(update["updateCount"]))
            for part in body["timePeriods"]
            for update in part["updates"]
        ]
        assert list(shot.batch.updates) == sent
        assert str(shot.batch.request_id) == body["requestId"]
        assert all(NOW - 61 * MINUTE <= update.start_millis <= NOW - MINUTE for update in sent)
        assert {update.event for update in sent} <= set(EVENTS)


def test_sums_add_up_by_player_and_by_minute() -> None:
    """Each batch in both."""
    found = sums(batch(2), batch(3), batch(4, player="bob"), batch(5, minute=6))
    assert 4 == found.batches
    assert Counter({("ann", "COIN_FOUND"): 10, ("bob", "COIN_FOUND"): 4}) == found.players
    assert Counter({(5, "COIN_FOUND"): 9, (6, "COIN_FOUND"): 5}) == found.minutes


def test_equal_sums_have_no_differences() -> None:
    """In whatever order they came about."""
    assert [] == differences(sums(batch(2), batch(3)), sums(batch(3), batch(2)))


def test_every_wrong_place_is_named() -> None:
    """One that counted twice, one that is missing, one that was not sent."""
    found = differences(sums(batch(2), batch(4, "bob")), sums(batch(2), batch(2), batch(1, "eve")))
    assert [
        "requests: 3, expected 2",
        "player ann, COIN_FOUND: 4, expected 2",
        "player bob, COIN_FOUND: 0, expected 4",
        "player eve, COIN_FOUND: 1, expected 0",
        "minute 5, COIN_FOUND: 5, expected 6",
    ] == found


def test_percentiles_are_values_that_occurred() -> None:
    """Nearest rank: the smallest value that so many are not above."""
    assert {"p50": 50, "p95": 95, "p99": 99, "p99.9": 100, "max": 100} == percentiles_millis(
        [n / 1000 for n in range(100, 0, -1)]
    )
    assert {"p50": 7, "p95": 7, "p99": 7, "p99.9": 7, "max": 7} == percentiles_millis([0.007])
    assert {} == percentiles_millis([])


def test_a_report_says_whether_the_sums_are_right() -> None:
    """In words that are searched for, and with the places where they are not."""
    some = Outcomes(answered={1: batch(1)})
    right, wrong = (report(LOAD, "app", some, 0.1, problems) for problems in ([], ["player ann: 1, expected 2"]))
    assert "right to the unit" in as_text(right)
    assert ("WRONG", ["player ann: 1, expected 2"]) == (wrong["sums"], wrong["differences"])
    assert "expected 2" in as_text(wrong)


def test_nothing_accepted_is_never_right() -> None:
    """Nothing was checked. The most frequent reasons are named, with the text of the first reply."""
    none: Outcomes = Outcomes(
        refusals=Refusals({"HTTP 401": 3}, {"HTTP 401": "no token"}), tries=Tries({"connection refused": 9})
    )
    found = report(LOAD, "app", none, 0.1, [])
    assert "not checked: nothing was accepted" == found["sums"]
    expected = "nothing was accepted: connection refused (9 times); HTTP 401: no token (3 times)"
    assert expected == found["nothing_accepted"]
    assert "right to the unit" not in as_text(found)
    assert "nothing was accepted: nothing was sent" == report(LOAD, "app", Outcomes(), 0, [])["nothing_accepted"]


@dataclass
class FakeIngress:
    """Answers each request by how often its requestId has come."""

    answer: Answer
    url: str = ""
    tries: Counter[str] = field(default_factory=Counter)
    bodies: set[bytes] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)

    async def record(self, request: web.Request) -> web.Response:
        body = await request.read()
        request_id = json.loads(body)["requestId"]
        self.tries[request_id] += 1
        self.bodies.add(body)
        self.tokens.add(request.headers["Authorization"])
        return await self.answer(request, self.tries[request_id])

    async def load(self, give_up_seconds: float = 10) -> Outcomes:
        """A short load against it."""
        seconds = {"give_up_seconds": give_up_seconds, "first_pause_seconds": 0.01}
        return await Sender(self.url, lambda player: f"token of {player}", SHORT, **seconds).run(lambda _: None)


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[FakeIngress]:
    ingress = FakeIngress(answer)
    app = web.Application()
    app.router.add_post("/games/v1/events", ingress.record)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    ingress.url = f"http://{host}:{port}"
    try:
        yield ingress
    finally:
        await runner.cleanup()


async def busy_first(_: web.Request, tries: int) -> web.Response:
    return web.Response(status=503 if tries == 1 else 200)


async def cut_first(request: web.Request, tries: int) -> web.Response:
    if tries == 1 and request.transport:
        request.transport.abort()
    return web.Response()


@pytest.mark.parametrize("answer", [busy_first, cut_first])
async def test_an_unanswered_batch_is_sent_again_with_the_same_request_id(answer: Answer) -> None:
    """Until it is answered: after 503 or a lost answer its fate is unknown."""
    async with serving(answer) as ingress:
        outcomes = await ingress.load()
    assert {str(n): 2 for n in range(1, 21)} == ingress.tries
    assert 20 == len(ingress.bodies), "the same bytes"
    assert (20, 20, 20) == (outcomes.requests, outcomes.tries.retries, len(outcomes.answered))
    assert not outcomes.unknown


async def test_what_is_never_answered_is_unknown() -> None:
    """It may have counted or not, and the report says so. The load ends."""

    async def busy(_: web.Request, __: int) -> web.Response:
        return web.Response(status=503)

    async with serving(busy) as ingress:
        outcomes = await ingress.load(give_up_seconds=1.0)  # or a slow machine gives up before it tries again
    assert set(range(1, 21)) == set(outcomes.unknown)
    assert not outcomes.answered
    assert outcomes.tries.retries == sum(ingress.tries.values()) - 20 > 0


async def test_nobody_at_the_address_is_unknown_too() -> None:
    """No connection, no answer."""
    async with serving(busy_first) as ingress:
        pass
    outcomes = await ingress.load(give_up_seconds=0.05)
    assert set(range(1, 21)) == set(outcomes.unknown)
    assert {"connection refused"} == set(outcomes.tries.failures)


@pytest.mark.parametrize(
    ("status", "text", "cause", "words"),
    [
        (401, "", "HTTP 401", ""),
        (401, '{"error": {"message": "expired"}}', "HTTP 401", "expired"),
        (400, '{"StatusCode": 4, "StatusMessage": "no Token"}', "HTTP 400", "no Token"),
        (400, "[7]", "HTTP 400", ""),
        (200, '{"cause": "RECORD_RATE_HIGH"}', "RECORD_RATE_HIGH", ""),
    ],
)
async def test_a_refusal_is_counted_and_not_sent_again(status: int, text: str, cause: str, words: str) -> None:
    """The answer is final: it did not count. The text of the first one is kept."""

    async def refuse(_: web.Request, __: int) -> web.Response:
        return web.Response(status=status, text=text)

    async with serving(refuse) as ingress:
        outcomes = await ingress.load()
    assert ({cause: 20}, 0, 0) == (outcomes.refusals.counts, outcomes.tries.retries, len(outcomes.answered))
    assert {cause: words} == outcomes.refusals.messages


async def test_each_player_has_a_token_and_each_answer_its_times() -> None:
    """Visible after accepted, as Server-Timing has it; without `visible` it was answered before."""

    async def answer(request: web.Request, _: int) -> web.Response:
        visible = ", visible;dur=5.5" if request.headers["Authorization"].endswith("player-1") else ""
        text = "ALREADY_UPDATED" if visible else ""
        return web.Response(text=text, headers={"Server-Timing": f"accepted;dur=2.0{visible}"})

    async with serving(answer) as ingress:
        outcomes = await ingress.load()
    assert {f"Bearer token of player-{n}" for n in range(3)} == ingress.tokens
    assert {0.0035} == set(outcomes.delays.visible_seconds)
    assert outcomes.already_updated == len(outcomes.delays.visible_seconds) == 20 - outcomes.delays.not_yet_visible


async def test_a_load_that_is_stopped_waits_for_its_answers() -> None:
    """What was sent is reckoned as ever; the rest never was."""
    endless = LoadOptions(rate=0.001, seconds=10_000, players=3, duplicates=0, seed=1)
    stop = asyncio.Event()
    async with serving(busy_first) as ingress:
        sender = Sender(ingress.url, lambda _: "token", endless, first_pause_seconds=0.01)
        outcomes = await asyncio.wait_for(sender.run(lambda _: stop.set(), stop), PATIENCE_SECONDS)
    assert (1, 1, 1) == (outcomes.requests, outcomes.tries.retries, len(outcomes.answered))


async def test_a_slow_ingress_does_not_slow_the_load() -> None:
    """Open loop: the last batch is sent though none was answered yet."""
    all_there, seen = asyncio.Event(), 0

    async def answer(_: web.Request, __: int) -> web.Response:
        nonlocal seen
        seen += 1
        if seen == SHORT.shots:
            all_there.set()
        await all_there.wait()
        return web.Response()

    async with serving(answer) as ingress, asyncio.timeout(PATIENCE_SECONDS):
        outcomes = await ingress.load()
    assert 20 == len(outcomes.answered)
    assert 0 == outcomes.tries.retries
