"""No record ends a worker: if it makes code raise an unexpected error, only that record is not counted."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo.asynchronous.collection import AsyncCollection

from consumer.core.dead import Unreadable
from consumer.core.decode import DECODES
from consumer.core.flush import Flush
from consumer.core.games import decode as decoding
from consumer.core.plan import WritePlan
from consumer.core.planners import PLANNERS
from consumer.core.reads import Known
from consumer.core.records import Record
from consumer.memory import MemorySource, MemoryStore
from consumer.mongo.writes import are_encodable, writes_of
from consumer.ports import RecordRefused, TooManyDead
from consumer.record_faults import records_fault
from schemas.coordinates import PartitionId
from schemas.documents import CHECKPOINTS, DEAD_LETTERS, PLAYERS
from schemas.games.body import parse_request
from schemas.settings import Limits
from tests.consumer.mongo.places import at_work, mongo_place
from tests.consumer.parts import TOPIC, eventually, parts, running
from tests.consumer.sums import assert_exact, counting, until_applied
from tests.samples import KEYS, batch, item, period, pool, sealed, sealed_pool, update
from tests.servers import Servers

BUGS = [RecursionError, OverflowError, KeyError, UnicodeError, AttributeError, AssertionError, TypeError, StopIteration]
BAD = 3


def one(offset: int) -> Record:
    return sealed(offset, batch(period(update()), request_id=str(offset + 1)), request_id=offset + 1)


def failing_parse(error: type[Exception]) -> Callable[[bytes], Any]:
    """Reads all bodies but one."""

    def parse(body: bytes) -> Any:  # noqa: ANN401
        if body == one(BAD).value:
            raise error("what only the client may know")
        return parse_request(body)

    return parse


def failing_plan(error: type[Exception]) -> Callable[[Flush, Known, Limits], WritePlan]:
    """Plans all but one record; that one can be set aside."""

    def plan(flush: Flush, known: Known, limits: Limits) -> WritePlan:
        if any(
            r.offset == BAD and not isinstance(d, Unreadable) for r, d in zip(flush.records, flush.decoded, strict=True)
        ):
            raise error("what only the client may know")
        return PLANNERS["games"].make_plan(flush, known, limits)

    return plan


@pytest.mark.parametrize("error", BUGS)
@pytest.mark.parametrize("step", ["reading", "planning"])
async def test_a_bug_costs_one_record_its_count(
    step: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It becomes a dead letter with the place of the error and none of the client's data. A counter grows."""
    if step == "reading":
        monkeypatch.setattr(decoding, "parse_request", failing_parse(error))
    else:
        failing = PLANNERS["games"]._replace(make_plan=failing_plan(error))
        monkeypatch.setattr("consumer.parts.PLANNERS", {"games": failing})
    log, store = MemorySource(1, TOPIC), MemoryStore()
    made = parts(log, store)
    for offset in range(8):
        log.append(0, one(offset))
    async with running(made) as worker:
        await eventually(lambda: store.collections[CHECKPOINTS].get("r1/00", {}).get("next") == 8)
        assert worker.alive()
    assert store.collections[PLAYERS]["demo/ann"]["totals"] == {"LEVEL_UP": 7}
    (letter,) = store.collections[DEAD_LETTERS].values()
    assert letter["_id"] == f"r1/00/{BAD}"
    assert letter["reason"].startswith(f"bug: {error.__name__} in {step} the record (test_record_faults.py:")
    assert "client" not in letter["reason"]
    assert made.metrics.registry.get_sample_value("tallymill_worker_bugs_total", {"api": "games"}) == 1


def test_too_many_dead_is_no_records_fault() -> None:
    """Nor is a record that is known to be faulty reported again."""
    for error in (TooManyDead("too many"), RecordRefused("known")):
        with pytest.raises(type(error), match=str(error)), records_fault("planning"):
            raise error


ANY_HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["judged", "ce_id", "ce_source", "ce_time", "content-type", "x"]) | st.text(max_size=5),
        st.none() | st.binary(max_size=40) | st.sampled_from([b"/apps/demo/players/ann", b"9999-12-31T23:59:59-08:00"]),
    ),
    max_size=8,
)
ANY_BODY = st.binary(max_size=100) | st.sampled_from(
    [batch(period(update())), batch(), pool(item()), pool(item(), item("B")), b'{"requestId":"1"}', b"[" * 5_000]
)


@settings(deadline=None)
@given(
    api=st.sampled_from(sorted(DECODES)),
    records=st.lists(
        st.tuples(st.none() | st.binary(max_size=20) | st.just(b"demo/ann"), ANY_BODY, ANY_HEADERS), min_size=1
    ),
    time_millis=st.integers(0, 253_402_300_799_999),
)
def test_any_records_are_planned_and_can_be_written(api: Any, records: list[Any], time_millis: int) -> None:  # noqa: ANN401
    """Any records of a topic, in any order, among good ones: each has a fate, and all can be encoded as BSON."""
    good = (one if api == "games" else lambda offset: sealed_pool(offset, pool(item(place=offset))))(len(records))
    log = [*(Record(n, time_millis, *fields) for n, fields in enumerate(records)), good]
    flush = Flush(PartitionId("r1", 0), 0, log, [DECODES[api](record, KEYS) for record in log])
    assert PLANNERS[api].reads_of(flush).size.records == len(log)
    plan = PLANNERS[api].make_plan(flush, Known(), Limits())
    assert sum(plan.checkpoint.fates.values()) == len(log)
    assert plan.checkpoint.fates["applied"] >= 1
    assert all(are_encodable(operations) for operations in writes_of(plan).values())


async def test_what_bson_can_not_be_made_of_is_found_and_set_aside(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By halving, on a real MongoDB, whatever the encoder raises; the others count."""

    def writes(plan: WritePlan) -> Any:  # noqa: ANN401
        made = writes_of(plan)
        for operation in cast("list[Any]", made["requests"]):
            document: Any = operation._doc
            if "demo/ann/13" in document["ids"].split("\n"):
                document["at"] = Unencodable()
        return made

    monkeypatch.setattr("consumer.mongo.store.writes_of", writes)
    async with mongo_place(servers.mongodb) as made:
        sent = [counting(0, number) for number in range(10, 20)]
        async with at_work(made):
            made.append(sent)
            await until_applied(made.place, len(sent))
        (letter,) = (await made.place.documents(DEAD_LETTERS)).values()
        assert letter["reason"].startswith("bug: ZeroDivisionError in encoding the record")
        assert made.sample("tallymill_worker_bugs_total", api="games") == 1


class Unencodable(Mapping[str, object]):
    """A value for which BSON's encoder raises an unlisted error."""

    def __getitem__(self, key: str) -> object:
        raise ZeroDivisionError

    def __iter__(self) -> Iterator[str]:
        raise ZeroDivisionError

    def __len__(self) -> int:
        return 1


async def test_a_bug_of_the_client_costs_no_record_its_count(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that no list has, from what talks to the server: the same flush is tried again."""
    bulk_write, failures = AsyncCollection.bulk_write, iter(BUGS)

    async def failing(*args: Any, **named: Any) -> Any:  # noqa: ANN401
        if error := next(failures, None):
            raise error("a bug of the client")
        return await bulk_write(*args, **named)

    monkeypatch.setattr(AsyncCollection, "bulk_write", failing)
    async with mongo_place(servers.mongodb) as made:
        sent = [counting(0, number) for number in range(10, 20)]
        async with at_work(made):
            made.append(sent)
            await until_applied(made.place, len(sent))
        await assert_exact(made.place, sent)
        assert await made.place.documents(DEAD_LETTERS) == {}


def test_a_bug_in_reading_a_pool_costs_that_pool_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other API's reader is guarded alike."""

    def failing(*_: object) -> object:
        raise RecursionError("what only the client may know")

    monkeypatch.setattr("consumer.core.analytics.decode.unseal_pool", failing)
    found = DECODES["analytics"](sealed_pool(0, pool(item())), KEYS)
    assert isinstance(found, Unreadable)
    assert (found.bug, found.reason.startswith("bug: RecursionError in reading")) == (True, True)
