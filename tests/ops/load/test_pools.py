"""A load of pools: what it sends, its sums, and how it treats the answers of a small ingress of the test."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from ops.load.plan import LoadOptions
from ops.load.pools import MOST_ITEMS, Pool, PoolSums, keys_of, pool_differences, pool_shots
from ops.load.send import ANALYTICS, OpenLoop, Outcomes
from tests.samples import MINUTE, NOW

LOAD = LoadOptions(rate=50, seconds=10, players=20, duplicates=0.3, seed=7)
SHORT = LoadOptions(rate=1_000, seconds=0.02, players=3, duplicates=0, seed=1)
OK = {"StatusCode": 0, "Severity": 1, "StatusMessage": "OK", "Content": True}

Answer = Callable[[int], Awaitable[web.Response]]


def test_the_same_seed_sends_the_same_pools() -> None:
    """At the rate asked for; another seed sends others."""
    found = list(pool_shots(LOAD, NOW))
    assert list(pool_shots(LOAD, NOW)) == found
    assert [i / 50 for i in range(500)] == [shot.at_seconds for shot in found]
    assert found != list(pool_shots(LoadOptions(50, 10, 20, 0.3, seed=8), NOW))


def test_some_pools_are_sent_again_whole_and_some_with_one_more_item() -> None:
    """Each at least a second after it was sent first, by the same player."""
    first: dict[tuple[int, ...], tuple[float, Pool]] = {}
    kinds: Counter[str] = Counter()
    for shot in pool_shots(LOAD, NOW):
        numbers = tuple(item.number for item in shot.batch.items)
        if shot.is_repeat:
            kind, before = ("whole", numbers) if numbers in first else ("more", numbers[:-1])
            kinds[kind] += 1
            at, pool = first[before]
            assert at + 1 <= shot.at_seconds
            assert shot.batch.player == pool.player
            assert (shot.batch.body == pool.body) is (kind == "whole")
        first.setdefault(numbers, (shot.at_seconds, shot.batch))
    assert abs(kinds["whole"] - kinds["more"]) <= 1
    assert 90 < kinds.total() < 180


def test_a_pool_says_what_is_summed() -> None:
    """Several items, each once, in the hour before the load; a pool with one more adds that one alone."""
    sums, made = PoolSums(), set()
    for shot in pool_shots(LOAD, NOW):
        sent = json.loads(shot.batch.body)["eventData"]
        assert [(item.title, str(item.at_millis)) for item in shot.batch.items] == [
            (one["Event"], one["Timestamp"]) for one in sent
        ]
        assert all(NOW - 60 * MINUTE <= item.at_millis < NOW for item in shot.batch.items)
        assert shot.is_repeat or 1 <= len(sent) <= MOST_ITEMS
        sums.add(keys_of(shot.batch, "app"))
        made |= {item.number for item in shot.batch.items}
    assert len(made) == len(sums.events) == sums.minutes.total()
    assert all(key.startswith("app/player-") for key in sums.events)


def test_every_wrong_event_and_minute_is_named() -> None:
    """One that is missing, one that was not sent."""
    (shot, *_) = pool_shots(LOAD, NOW)
    expected, found = PoolSums(), PoolSums()
    expected.add(keys_of(shot.batch, "app"))
    assert [] == pool_differences(expected, expected)
    found.events["app/eve/0"] = "X"
    lines = pool_differences(expected, found)
    assert "event app/eve/0: X, expected nothing" in lines
    assert len(expected.events) + len(expected.minutes) + 1 == len(lines)
    assert any(line.startswith("event app/player") and "nothing, expected " in line for line in lines)


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[tuple[str, Counter[bytes]]]:
    """An ingress that answers by how often a body has come; its address, and the bodies."""
    tries: Counter[bytes] = Counter()

    async def add(request: web.Request) -> web.Response:
        assert request.headers["Authorization"].startswith("Bearer token of player-")
        body = await request.read()
        tries[body] += 1
        return await answer(tries[body])

    app = web.Application()
    app.router.add_post("/AddEventBatch", add)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    try:
        yield f"http://{host}:{port}", tries
    finally:
        await runner.cleanup()


async def outcomes_of(answer: Answer) -> tuple[Outcomes[Pool], Counter[bytes]]:
    async with serving(answer) as (url, tries):
        sender = OpenLoop(url, lambda player: f"token of {player}", SHORT, ANALYTICS, first_pause_seconds=0.01)
        return await sender.run(lambda _: None), tries


async def test_a_pool_that_was_not_taken_is_sent_again_with_the_same_bytes() -> None:
    """Until it is answered OK. The second answer marks it as a duplicate."""

    async def busy_first(tries: int) -> web.Response:
        if tries == 1:
            return web.json_response({**OK, "StatusCode": 7, "Content": False}, status=503)
        return web.json_response(OK, headers={"Tallymill-Duplicate": "true"})

    outcomes, tries = await outcomes_of(busy_first)
    assert {2} == set(tries.values())
    assert (20, 20, 20, 20) == (len(tries), len(outcomes.answered), outcomes.tries.retries, outcomes.already_updated)


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (web.json_response, "StatusCode 2"),
        (lambda body: web.json_response(body, status=400), "HTTP 400"),
        (lambda _: web.Response(text="OK"), "no StatusCode"),
    ],
)
async def test_a_refusal_is_counted_by_its_cause(reply: Callable[[object], web.Response], cause: str) -> None:
    """By StatusCode, or the HTTP status; an answer of another shape is none."""

    async def refuse(_: int) -> web.Response:
        return reply({**OK, "StatusCode": 2, "Severity": 3, "Content": False})

    outcomes, _ = await outcomes_of(refuse)
    assert ({cause: 20}, 0) == (outcomes.refusals.counts, len(outcomes.answered))
