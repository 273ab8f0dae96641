"""Memory and time of bodies (B9): bounded in total and by sender, with the least for unknown senders."""

import asyncio
import gc
import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ingress.analytics import checks, pool_reader
from ingress.http import body_budget
from ingress.http.body_budget import MAX_INLINE_BYTES, BodyBudget
from schemas.errors.table import Refusal
from schemas.settings import Limits
from serving.http.whole import Body
from serving.refused import Refused
from serving.tokens.identity import Identity
from tests.ingress.rig import NOW, Answer, Rig, batch, period, token, update
from tests.patience import PATIENCE_SECONDS
from tests.samples import item, pool

MIB = 1 << 20
ANN = Identity("demo", "ann", frozenset(), 0)
BATCH = "/AddEventBatch"
LARGE = "x" * MAX_INLINE_BYTES

# 12 KB that unpack to 8 MiB.
BOMB = gzip.compress(b'{"eventData":[' + b"[],  " * ((8 * MIB - 100) // 5) + b"0]}")


def told(answer: Answer) -> tuple[int, int, int]:
    return answer.status, answer.json["StatusCode"], answer.json["Severity"]


def counted(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> list[int]:
    """The sizes that a function is called with from now on."""
    sizes: list[int] = []
    right: Callable[..., Any] = vars(module)[name]

    def counting(body: bytes, *more: object, **named: object) -> object:
        sizes.append(len(body))
        return right(body, *more, **named)

    monkeypatch.setattr(module, name, counting)
    return sizes


async def test_a_large_body_without_a_good_token_is_never_parsed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it holds; a good token in the header or in the body makes it worth reading."""
    read = counted(monkeypatch, pool_reader, "read_sent")
    bad = pool(item("A", NOW, text=LARGE), Token=token(iss="another"))
    for body in (BOMB, gzip.compress(bad), gzip.compress(b"{" + b" " * MIB), gzip.compress(b"token=x&a=" + b"a" * MIB)):
        assert (401, 3, 3) == told(await rig.add(body, bearer="", content_encoding="gzip"))
    assert 401 == (await rig.add(BOMB, bearer="no", content_encoding="gzip")).status
    assert [] == read
    for body, bearer in (
        (pool(item("A", NOW, text=LARGE)), token()),
        (pool(item("B", NOW, t=LARGE), Token=token()), ""),
    ):
        assert 200 == (await rig.add(body, bearer=bearer)).status
    assert 2 == len(read)


@pytest.mark.parametrize("padding", [0, MAX_INLINE_BYTES, 2 * MAX_INLINE_BYTES])
@pytest.mark.parametrize("place", ["header", "first", "last"])
async def test_a_pool_is_read_once_and_its_token_checked_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, place: str, padding: int
) -> None:
    """However large the pool is, and wherever its token is."""
    read = counted(monkeypatch, pool_reader, "read_sent")
    parsed = counted(monkeypatch, checks, "parse_analytics")
    checked: list[str] = []
    check = rig.tokens.identity

    async def checking(text: str, now_seconds: float) -> Identity:
        checked.append(text)
        return await check(text, now_seconds)

    monkeypatch.setattr(rig.tokens, "identity", checking)
    fields: dict[str, object] = {"eventData": [item("A", NOW, text="x" * padding)]}
    if place != "header":
        named = {"Token": token()}
        fields = named | fields if place == "first" else fields | named
    answer = await rig.add(json.dumps(fields).encode(), bearer=token() if place == "header" else "")
    assert 200 == answer.status
    assert (1, 1, 1) == (len(read), len(parsed), len(checked))


async def test_what_is_unpacked_of_unknown_senders_is_one_body_at_a_time(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """150 bodies of 12 KB that unpack to 8 MiB: in memory are the 12 KB each, and one unpacked body."""
    held: list[int] = []
    unpacked: Callable[..., bytes] = vars(body_budget)["unpacked"]
    running = 0

    def unpacking(*given: Any) -> bytes:  # noqa: ANN401 what the other takes
        nonlocal running
        running += 1
        held.append(running)
        try:
            return unpacked(*given)
        finally:
            running -= 1

    monkeypatch.setattr(pool_reader, "unpacked", unpacking)
    bodies = rig.shared.bodies
    flood = [
        asyncio.create_task(rig.call("POST", BATCH, {"content-encoding": "gzip"}, [BOMB], peer=f"192.0.2.{n % 5}"))
        for n in range(150)
    ]
    await asyncio.sleep(0)
    assert bodies.held_bytes <= 150 * len(BOMB) < 4 * MIB
    for number in range(5):
        assert 200 == (await rig.add(pool(item("A", NOW, n=number, text=LARGE)), content_encoding="identity")).status
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)
    assert {1} == set(held)
    assert 0 == bodies.held_bytes


async def busy(path: str) -> Answer:
    """The answer to a body for which there is no room. All shares are returned, and it is counted."""
    rig = Rig(body_bytes_held=4_096)
    headers = {"authorization": f"Bearer {token()}", "content-type": "application/json"}
    answer = await rig.call("POST", path, headers, [b"x" * 5_000], ends=False)
    assert ("1", "close") == (answer.headers["retry-after"], answer.headers["connection"])
    api = "games" if path.startswith("/games") else "analytics"
    assert (1, 0) == (rig.metric("refused_total", api=api, cause="BUSY"), rig.shared.bodies.held_bytes)
    return answer


async def test_answer_busy() -> None:
    """There is no room for the body: it is not read, and Retry-After says when to retry."""
    answer = await busy("/games/v1/events")
    error = answer.json["error"]
    assert (503, "UNAVAILABLE", "backendError") == (answer.status, error["status"], error["errors"][0]["reason"])


async def test_answer_analytics_busy() -> None:
    """The same."""
    assert (503, 7, 2) == told(await busy(BATCH))


async def test_a_turn_that_does_not_come_in_time_is_503() -> None:
    """A bounded wait, then 503 with Retry-After."""
    bodies = BodyBudget(64 * MIB, 60, wait_seconds=0)
    with bodies.of_player(ANN) as one, bodies.of_player(ANN) as other:
        async with bodies._known.turn("another", 8 * MIB):
            with pytest.raises(Refused) as refused:
                await bodies.run_in_thread(one, 100, lambda: None)
        assert Refusal.BUSY is refused.value.refusal
        assert 7 == await bodies.run_in_thread(other, 100, lambda: 7)


async def settled() -> None:
    """Each request has done all it can with the part of its body that has arrived."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_unknown_keep_no_player_from_a_turn() -> None:
    """Their queue is their own, and of the room they have less than half."""
    rig = Rig(body_bytes_held=1 * MIB)
    sent = {"content-type": "application/json"}
    flood = [  # each stays where it is: its end never comes
        asyncio.create_task(rig.call("POST", BATCH, sent, [b"{" * size], ends=False, peer=f"192.0.2.{number}"))
        for number in range(40)
        for size in (50_000, 70_000)
    ]
    await settled()
    assert 100_000 < rig.shared.bodies.held_bytes <= MIB // 2
    assert (503, 7, 2) == told(await rig.add(pool(item("A", NOW, text="x" * 60_000)), bearer=""))
    assert 200 == (await rig.add(pool(item("A", NOW, text="x" * 60_000)))).status
    assert 200 == (await rig.record(period(update()))).status
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)


async def test_large_bodies_of_an_address_do_not_crowd_out_its_small_ones() -> None:
    """Behind a load balancer or a carrier's NAT all unknown senders have one address."""
    rig = Rig(body_bytes_held=64 * MIB)
    flood = [asyncio.create_task(rig.call("POST", BATCH, {}, [b"{" * (7 * MIB)], ends=False)) for _ in range(20)]
    await settled()
    assert {503} == {task.result().status for task in flood if task.done()}
    assert 7 * MIB <= rig.shared.bodies.held_bytes
    assert 200 == (await rig.add(pool(item("A", NOW), Token=token()), bearer="")).status
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)


OUTCOMES: list[tuple[bytes, Mapping[str, str], int]] = [
    (pool(item("A", NOW)), {}, 200),
    (pool(item("A", NOW, text=LARGE)), {}, 200),
    (gzip.compress(pool(item("A", NOW, text=LARGE))), {"content_encoding": "gzip"}, 200),
    (b"[]", {}, 400),
    (b"{" + b" " * MAX_INLINE_BYTES, {}, 400),
    (pool(item("A", NOW, text=LARGE)), {"bearer": ""}, 401),
    (b"x" * (MIB + 1), {}, 413),
    (gzip.compress(b"{" + b" " * MIB), {"content_encoding": "gzip"}, 413),
    (b"no gzip", {"content_encoding": "gzip"}, 400),
]


@pytest.mark.parametrize(("body", "given", "status"), OUTCOMES)
async def test_whatever_is_answered_all_bytes_are_given_back(
    body: bytes, given: Mapping[str, str], status: int
) -> None:
    """Accepted or refused at any step."""
    rig = Rig(Limits(max_analytics_body_bytes=MIB))
    assert status == (await rig.add(body, **given)).status
    assert (0, 0) == (rig.shared.bodies.held_bytes, len(rig.shared.bodies._shares))


async def test_who_leaves_or_is_late_gives_all_bytes_back() -> None:
    """A connection that is gone, or a body that never ends."""
    rig = Rig(body_seconds=0.01)
    headers = {"authorization": f"Bearer {token()}", "content-type": "application/json"}
    for path in (BATCH, "/games/v1/events"):
        await rig.call("POST", path, headers, [b"{"], leaves=True)
        assert 408 == (await rig.call("POST", path, headers, [b"{"], ends=False)).status
    assert 0 == rig.shared.bodies.held_bytes


async def test_g17_a_large_body_of_a_player_who_is_too_fast_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """RECORD_RATE_HIGH, or 429, costs no more than reading the bytes; a small one is judged in the order of B1."""
    rig = Rig(Limits(max_requests_per_player=1))
    await rig.record(period(update()))
    await rig.add(pool(item("A", NOW)))
    beside = counted(monkeypatch, body_budget, "unpacked")
    large = json.loads(batch(period(update()))) | {"kind": LARGE}
    for body in (json.dumps(large).encode(), b"{" + b" " * MAX_INLINE_BYTES):
        answer = await rig.post(gzip.compress(body + LARGE.encode()), content_encoding="gzip")
        assert "RECORD_RATE_HIGH" == answer.json["batchFailures"][0]["failureCause"]
        assert "retry-after" in answer.headers
        assert (429, 6, 2) == told(await rig.add(gzip.compress(body), content_encoding="gzip"))
    # Small bodies are read inline. Nothing else was unpacked, in a thread or not.
    assert max(beside) < MAX_INLINE_BYTES
    assert 400 == (await rig.post(b"{")).status
    assert 400 == (await rig.add(b"{")).status


async def test_what_was_parsed_of_a_pool_is_let_go_before_kafka_is_waited_for() -> None:
    """Its objects take many times its bytes, and Kafka may take seconds."""
    rig = Rig()
    seen: list[object] = []
    publish = rig.analytics_topic.publish

    async def published(*record: Any) -> object:  # noqa: ANN401 what the other takes
        # By their very type: a weak proxy of something else that is tracked may be dead by now.
        seen.extend(one for one in gc.get_objects() if type(one) is dict and one.get("mark") == "parsed")
        return await publish(*record)

    rig.analytics_topic.publish = published  # type: ignore[method-assign, assignment]
    assert 200 == (await rig.add(pool(item("A", NOW, mark="parsed", tracked=[[]])))).status
    assert [] == seen


async def test_the_decoded_bytes_of_a_small_body_count_until_the_answer() -> None:
    """A body of some bytes may stand for MAX_INLINE_BYTES."""
    budget = BodyBudget(64 * MIB, PATIENCE_SECONDS)
    lease = budget.of_player(ANN)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": gzip.compress(bytes(MAX_INLINE_BYTES))}

    with lease:
        _, body = await budget.received(Body({}, receive), b"gzip", MIB, lease)
        assert bytes(MAX_INLINE_BYTES) == body
        assert MAX_INLINE_BYTES == lease.size_bytes == budget.held_bytes
    assert 0 == budget.held_bytes
