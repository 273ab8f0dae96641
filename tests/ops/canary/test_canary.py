"""The canary against an ingress that misbehaves: every outcome, and what is sent again."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from ops.canary.canary import LATE_SECONDS, Canary
from ops.canary.ingress import Ingress
from ops.canary.metrics import CanaryMetrics
from ops.canary.tokens import token_source
from ops.config import Settings, SettingsError
from ops.tokens.issuer import ensure_issuer
from tests.ops.canary.stub_ingress import StubIngress, answer, serving


@dataclass(slots=True)
class QuickClock:
    """Sleeping takes no time, but passes."""

    now: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    def wall_millis(self) -> int:
        return 1_790_000_000_000 + int(self.now * 1_000)

    def monotonic_seconds(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@dataclass(slots=True)
class Rig:
    stub: StubIngress
    canary: Canary
    metrics: CanaryMetrics
    clock: QuickClock

    def value(self, name: str, **labels: str) -> float:
        found = self.metrics.registry.get_sample_value(f"tallymill_canary_{name}", labels)
        assert found is not None
        return found

    def outcomes(self) -> dict[str, int]:
        """Those that occurred."""
        names = ("counted", "miscounted", "first", "refused")
        counts = {name: int(self.value("batches_total", outcome=name)) for name in names}
        return {name: count for name, count in counts.items() if count}

    async def steps(self, number: int) -> dict[str, int]:
        for _ in range(number):
            await self.canary.step()
        return self.outcomes()


@asynccontextmanager
async def rig(token: Callable[[], str] = lambda: "t", try_seconds: float = 60) -> AsyncIterator[Rig]:
    stub, metrics, clock = StubIngress(), CanaryMetrics(), QuickClock()
    async with serving(stub) as url, Ingress(url, token, try_seconds) as ingress:
        yield Rig(stub, Canary(ingress, metrics, clock, 10), metrics, clock)


async def test_each_batch_must_add_exactly_one() -> None:
    """The first one has nothing to compare with. The others do, and set the time of the last success."""
    async with rig() as it:
        assert {"first": 1} == await it.steps(1)
        assert 0 == it.value("last_success_timestamp_seconds")
        assert {"first": 1, "counted": 3} == await it.steps(3)
        assert it.clock.wall_millis() / 1000 == it.value("last_success_timestamp_seconds")
        assert 4 == it.value("visible_seconds_count")
        assert 4 == len(it.stub.counted)


@pytest.mark.parametrize("adds", [0, 2, -1])
async def test_a_miscount_is_an_outcome_of_its_own(adds: int) -> None:
    """Once a batch, with the totals in the log. The next batch is compared with the total that was found."""
    async with rig() as it:
        await it.steps(2)
        last = it.value("last_success_timestamp_seconds")
        it.stub.adds, it.clock.now = adds, it.clock.now + 10
        with capture_logs() as logs:
            assert {"first": 1, "counted": 1, "miscounted": 1} == await it.steps(1)
        (line,) = logs
        assert ("canary_miscounted", "error", 3, 2 + adds) == (
            line["event"],
            line["log_level"],
            line["expected"],
            line["found"],
        )
        assert last == it.value("last_success_timestamp_seconds")
        it.stub.adds = 1
        assert {"first": 1, "counted": 2, "miscounted": 1} == await it.steps(1)


async def test_an_answer_that_is_lost_is_asked_for_again_with_the_same_bytes() -> None:
    """The batch was counted by the first try. It is not counted twice, and it is no miscount."""
    async with rig() as it:
        await it.steps(1)
        it.stub.closes = 2
        assert {"first": 1, "counted": 1} == await it.steps(1)
        first, *rest = it.stub.bodies[1:]
        assert [first, first] == rest


async def test_a_try_that_times_out_is_sent_again() -> None:
    """An ingress that does not answer within the time of a try."""
    async with rig(try_seconds=0.2) as it:
        await it.steps(1)
        it.stub.silences = 2
        assert {"first": 1, "counted": 1} == await it.steps(1)
        assert (3, 1) == (len(it.stub.bodies[1:]), len(set(it.stub.bodies[1:])))


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
async def test_an_answer_that_is_not_final_is_no_outcome(status: int) -> None:
    """The same batch is sent until it is answered, with growing pauses, and the time until then is measured."""
    async with rig() as it:
        await it.steps(1)
        it.stub.next = [answer(status, '{"error": {"message": "wait"}}')] * 12
        with capture_logs() as logs:
            assert {"first": 1, "counted": 1} == await it.steps(1)
        assert 1 == len(set(it.stub.bodies[1:]))
        assert it.clock.slept == sorted(it.clock.slept)
        assert 1.0 == it.clock.slept[-1]
        assert [] == logs


async def test_late_batches_are_two_log_lines() -> None:
    """One when the first is late, one when a batch is visible again."""
    async with rig() as it:
        await it.steps(1)
        it.stub.states = [web.json_response({"state": "pending"}) for _ in range(30)]
        with capture_logs() as logs:
            assert {"first": 1, "counted": 1} == await it.steps(1)
        late, back = logs
        assert ("canary_late", "accepted, but not visible yet") == (late["event"], late["reason"])
        assert ("canary_on_time", "info") == (back["event"], back["log_level"])
        assert back["seconds"] > LATE_SECONDS
        assert it.value("visible_seconds_sum") > LATE_SECONDS


async def test_a_receipt_that_is_no_longer_known_sends_the_batch_again() -> None:
    """After a new lineage. The batch counts once."""
    async with rig() as it:
        await it.steps(1)
        it.stub.states = [web.Response(status=410), web.Response(status=404)]
        assert {"first": 1, "counted": 1} == await it.steps(1)
        assert (3, 1) == (len(it.stub.bodies[1:]), len(set(it.stub.bodies[1:])))


async def test_a_state_and_a_total_that_can_t_be_read_are_asked_again() -> None:
    async with rig() as it:
        it.stub.states = [web.Response(status=503)]
        it.stub.lists = [web.Response(status=503), web.Response(status=200, text="<html>")]
        assert {"first": 1} == await it.steps(1)
        assert 1 == len(it.stub.bodies)


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (answer(401, '{"error": {"message": "expired"}}'), "HTTP 401: expired"),
        (answer(500), "HTTP 500"),
        (answer(200, '{"eventFailures": [{"failureCause": "NOT_FOUND"}]}'), "NOT_FOUND: run `tallymill init`"),
        (answer(200, '{"batchFailures": [{"failureCause": "TOO_LARGE"}]}'), "TOO_LARGE"),
        (answer(200, "<html>"), "HTTP 200"),
    ],
)
async def test_a_refused_batch_is_an_outcome_and_one_line(
    refusal: Callable[[web.Request], web.Response], words: str
) -> None:
    """Nothing was stored, so the next batch is compared with the last total."""
    async with rig() as it:
        await it.steps(1)
        it.stub.next = [refusal, refusal]
        with capture_logs() as logs:
            assert {"first": 1, "refused": 2, "counted": 1} == await it.steps(3)
        assert [("canary_refused", words), ("canary_on_time", None)] == [
            (line["event"], line.get("reason")) for line in logs
        ]


async def test_after_a_refusal_of_what_may_be_stored_the_base_is_unknown() -> None:
    """A try without an answer, then 401: the batch may count or not. The next one is no miscount, and not counted."""
    async with rig() as it:
        await it.steps(2)
        it.stub.closes = 1

        def expired(request: web.Request) -> web.Response:
            it.stub.next = [answer(401)]
            return answer(503)(request)

        it.stub.next = [expired]
        assert {"first": 1, "counted": 1, "refused": 1} == await it.steps(1)
        it.stub.closes = 0
        assert {"first": 2, "counted": 1, "refused": 1} == await it.steps(1)


async def test_a_batch_that_a_worker_sets_aside_is_refused() -> None:
    async with rig() as it:
        it.stub.states = [web.json_response({"state": "dead", "cause": "bug"})]
        with capture_logs() as logs:
            assert {"refused": 1} == await it.steps(1)
        assert "a worker set the batch aside: bug" == logs[0]["reason"]


async def test_a_rate_that_is_too_high_is_sent_again() -> None:
    """RECORD_RATE_HIGH stores nothing."""
    async with rig() as it:
        await it.steps(1)
        it.stub.next = [answer(200, '{"batchFailures": [{"failureCause": "RECORD_RATE_HIGH"}]}')]
        assert {"first": 1, "counted": 1} == await it.steps(1)


async def test_the_batches_keep_the_interval() -> None:
    """A batch that took longer than the interval is followed by the next at once."""
    async with rig() as it:
        task = asyncio.create_task(it.canary.run())
        while len(it.stub.bodies) < 4:  # noqa: ASYNC110 the stub has no event
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert {10.0} == set(it.clock.slept[:3])


async def test_a_stop_in_the_middle_of_a_batch_names_it() -> None:
    async with rig() as it:
        it.stub.states = [web.json_response({"state": "pending"}) for _ in range(1_000)]
        task = asyncio.create_task(it.canary.step())
        while not it.stub.bodies:  # noqa: ASYNC110 the stub has no event
            await asyncio.sleep(0.01)
        with capture_logs() as logs:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert json.loads(it.stub.bodies[0])["requestId"] == logs[-1]["request_id"]
        assert "canary_batch_unfinished" == logs[-1]["event"]


def settings(**canary: object) -> Settings:
    return Settings.model_validate({"canary": canary})


def test_a_token_is_required() -> None:
    """One of the three, and not two."""
    with pytest.raises(SettingsError) as raised:
        token_source(settings())
    assert "TALLYMILL_CANARY__TOKEN" in raised.value.problems[0]
    with pytest.raises(SettingsError):
        token_source(settings(token="a", token_file="b"))
    with pytest.raises(SettingsError):
        token_source(settings(token="two words"))
    assert "a.b.c" == token_source(settings(token=" a.b.c\n"))()


async def test_a_token_file_is_read_before_each_request(tmp_path: Path) -> None:
    """A renewed token is used at once. While there is none, the batch waits."""
    file = tmp_path / "token"
    async with rig(token_source(settings(token_file=str(file)))) as it:
        with capture_logs() as logs:
            task = asyncio.create_task(it.canary.step())
            while not logs:  # noqa: ASYNC110 the log has no event
                await asyncio.sleep(0.01)
            file.write_text("new\n")
            await task
        assert f"canary.token_file: {file} can't be read" == logs[0]["reason"]
        assert ["Bearer new"] == it.stub.tokens
        file.write_text("two words")
        task = asyncio.create_task(it.canary.step())
        await asyncio.sleep(0.05)
        file.write_text("newer")
        await task
        assert ["Bearer new", "Bearer newer"] == it.stub.tokens


def test_each_canary_of_the_local_issuer_is_a_player_of_its_own(tmp_path: Path) -> None:
    """Two canaries that share a player would see each other's batches as miscounts."""
    local = Settings.model_validate({"tokens": ensure_issuer(tmp_path)})
    one, other = token_source(local), token_source(local)
    assert one() == one()
    players = {json.loads(base64.urlsafe_b64decode(source().split(".")[1] + "=="))["sub"] for source in (one, other)}
    assert 2 == len(players)
