"""The state and its reasons: what makes it so, after how long, and since when."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.observer import judge
from console.observer.facts import Facts, Silent, TopicFacts
from console.observer.memory import Memory
from console.observer.snapshot import Check, Snapshot
from console.observer.step import nothing_yet, observe
from tests.console.observer.facts import TOPICS, checkpoint, facts, mongodb, topic
from tests.console.snapshots import NOW

WELL = facts(mongodb(checkpoint(0, 9)), topic((0, 9)))


@dataclass
class Steps:
    """Steps of the observer, two seconds apart."""

    memory: Memory = field(default_factory=Memory)
    at: int = NOW

    def after(self, seconds: float, found: Any, kafka: Any) -> Snapshot:  # noqa: ANN401 facts of any kind
        """The snapshot once these facts have held for so long."""
        end = self.at + int(seconds * 1000)
        self.step(found, kafka)
        while self.at < end:
            self.at += 2_000
            snapshot = self.step(found, kafka)
        return snapshot if seconds else self.step(found, kafka)

    def step(self, found: Any, kafka: Any) -> Snapshot:  # noqa: ANN401 the same
        self.memory, snapshot = observe(TOPICS, self.memory, facts(found, kafka, self.at))
        return snapshot


def judged(found: Any, kafka: Any, seconds: float = 60) -> tuple[str, list[str]]:  # noqa: ANN401 the same
    snapshot = Steps().after(seconds, found, kafka)
    return snapshot.state, list(snapshot.reasons)


def test_all_is_well_where_nothing_waits_and_every_partition_has_a_worker() -> None:
    """A topic that was never used needs none."""
    assert ("well", []) == judged(WELL.mongodb, WELL.kafka)
    unused = {"records": topic((0, 9)), "pools": topic((0, 0), name="pools", owned=frozenset())}
    assert ("well", []) == judged(WELL.mongodb, unused)


def test_before_the_first_step_nothing_is_known() -> None:
    first = nothing_yet(TOPICS, NOW)
    assert ("unknown", (judge.NOT_READ,)) == (first.state, first.reasons)


def test_o6_a_silent_server_is_down_at_once_and_says_what_does_not_happen() -> None:
    """The worst first. Without kafka.bootstrap_servers the state is unknown at best."""
    silent = Silent("10.0.0.1:27017: no answer in time")
    assert ("down", ["MongoDB does not answer (10.0.0.1:27017: no answer in time). Nothing is counted"]) == judged(
        silent, WELL.kafka, 0
    )
    state, reasons = judged(silent, Silent("k"), 0)
    assert ("down", 2) == (state, len(reasons))
    assert ("unknown", [judge.UNKNOWN_KAFKA]) == judged(WELL.mongodb, None)
    state, reasons = judged(silent, None)
    assert ("down", judge.UNKNOWN_KAFKA) == (state, reasons[-1])


def test_the_worst_reason_is_the_first() -> None:
    """Whatever it is about, and it is the state."""
    stopped = mongodb(checkpoint(0, 9, stopped="x"), checkpoint(1, 9))
    assert ("degraded", ["games: partition 0 is stopped: x", judge.UNKNOWN_KAFKA]) == judged(stopped, None)
    failed = mongodb(lineages=[], checks={"verify": Check(NOW, ok=False, detail="x")})
    assert [False, False, True] == ["verify" in reason for reason in judged(failed, topic((0, 0)))[1]]


@pytest.mark.parametrize(
    ("found", "kafka", "state", "words"),
    [
        (WELL.mongodb, {"pools": topic((0, 0), name="pools")}, "down", "the topic records does not exist"),
        (WELL.mongodb, topic((0, 9), topic_id="x"), "down", "the topic records is another one than before"),
        (mongodb(lineages=[]), topic((0, 0)), "down", "MongoDB has no lineage of the topic records"),
        (WELL.mongodb, topic((0, 9), None), "degraded", "partition 1 can't be read: the leader does not answer"),
        (mongodb(checkpoint(0, 9)), topic((0, 5)), "down", "games: the balance is off by -4 records"),
        (mongodb(checkpoint(0, 9)), topic((12, 20), oldest={0: NOW}), "down", "has removed 3 records of partition 0"),
        (
            mongodb(checkpoint(0, 9, stopped="LogDamaged: x"), checkpoint(1, 9)),
            topic((0, 9), (0, 9)),
            "degraded",
            "games: partition 0 is stopped: LogDamaged: x",
        ),
        (mongodb(checkpoint(0, 9, stopped="x")), topic((0, 9)), "down", "games: partition 0 is stopped: x"),
        (
            mongodb(checkpoint(0, 9), checkpoint(1, 9)),
            topic((0, 9), (0, 12), owned=frozenset({0}), oldest={1: NOW}),
            "degraded",
            "games: no worker has partition 1, 3 records wait, the oldest for 60 s",
        ),
        (
            mongodb(checkpoint(0, 9)),
            topic((0, 9), owned=frozenset()),
            "down",
            "games: no worker runs, and no record waits yet",
        ),
        (
            mongodb(checkpoint(0, 9), checkpoint(1, 9)),
            topic((0, 10), (0, 9), oldest={0: NOW}),
            "degraded",
            "games: no record of partition 0 is counted, 1 record waits, the oldest for 60 s",
        ),
        (
            mongodb(checkpoint(0, 9), checks={"verify": Check(NOW, ok=False, detail="one is missing")}),
            topic((0, 9)),
            "degraded",
            "The last `tallymill verify` failed: one is missing",
        ),
    ],
)
def test_o6_each_reason_is_a_sentence_and_has_its_state(found: Any, kafka: Any, state: str, words: str) -> None:  # noqa: ANN401 the same
    """The first of them, after a minute."""
    is_now, (reason, *_) = judged(found, kafka)
    assert state == is_now
    assert words in reason


def test_a_worker_that_is_behind_degrades_although_it_counts() -> None:
    steps = Steps()
    for number in range(9):
        found = mongodb(checkpoint(0, number))
        snapshot = steps.step(found, topic((0, 99), oldest={0: steps.at - 61_000}))
        steps.at += 10_000
    assert ("degraded", ("games: workers are behind on partition 0, 91 records wait, the oldest for 61 s",)) == (
        snapshot.state,
        snapshot.reasons,
    )


def test_records_that_retention_removes_soon_are_named_with_the_hours_left() -> None:
    oldest = NOW - ((604_800 - 7_200) * 1000)
    state, reasons = judged(mongodb(checkpoint(0, 9)), topic((0, 10), oldest={0: oldest}), 0)
    assert ("degraded", "games: Kafka removes records of partition 0 uncounted in 2.0 h") == (state, reasons[-1])


@pytest.mark.parametrize(
    ("found", "kafka", "seconds"),
    [
        (mongodb(checkpoint(0, 9)), topic((0, 9), owned=frozenset()), judge.UNOWNED_SECONDS),
        (mongodb(checkpoint(0, 9)), topic((0, 10), oldest={0: NOW}), judge.STALLED_SECONDS),
        (mongodb(checkpoint(0, 9)), topic((0, 8)), judge.DIFFERS_SECONDS),
    ],
)
def test_o6_what_passes_by_itself_is_no_reason(found: Any, kafka: Any, seconds: float) -> None:  # noqa: ANN401 the same
    """A rebalance, a long flush, an election. If the condition ends for one step, its time begins anew."""
    steps = Steps()
    assert "well" == steps.after(seconds - 2, found, kafka).state
    steps.step(WELL.mongodb, WELL.kafka)
    assert "well" == steps.after(seconds - 2, found, kafka).state
    assert "well" != steps.after(4, found, kafka).state


def test_a_partition_that_counts_slowly_is_not_stalled() -> None:
    """Its checkpoint moves between two looks."""
    steps = Steps()
    for number in range(20):
        found = mongodb(checkpoint(0, number))
        snapshot = steps.step(found, topic((0, 99), oldest={0: steps.at}))
        steps.at += int(judge.STALLED_SECONDS * 900)
    assert "well" == snapshot.state


_known: st.SearchStrategy[Any] = st.sampled_from(
    [Silent("x"), mongodb(checkpoint(0, 9)), mongodb(checkpoint(0, 9, stopped="x")), mongodb()]
)
_kafka: st.SearchStrategy[Any] = st.sampled_from(
    [Silent("x"), None, {}, topic((0, 9)), topic((0, 12)), topic((0, 3)), topic((0, 9), owned=frozenset())]
)


@given(st.lists(st.tuples(st.integers(1, 30_000), _known, _kafka), min_size=1, max_size=30))
def test_o6_since_is_the_first_step_of_the_present_state(seen: list[tuple[int, Any, Any]]) -> None:
    """Whatever happens: a state has reasons unless all is well, and begins when it changed."""
    steps, before = Steps(), None
    for later, found, kafka in seen:
        steps.at += later
        snapshot = steps.step(found, kafka)
        assert (snapshot.state == "well") == (not snapshot.reasons)
        same = before is not None and before.state == snapshot.state
        assert (before.since_millis if same and before else steps.at) == snapshot.since_millis
        assert steps.at == snapshot.as_of_millis
        before = snapshot


@given(st.lists(st.tuples(_known, _kafka), min_size=1, max_size=20))
def test_every_step_can_be_shown(seen: list[tuple[Any, Any]]) -> None:
    """As JSON, with one point a step for each API, and nothing of an earlier step where a server is silent."""
    steps = Steps()
    for number, (found, kafka) in enumerate(seen, 1):
        answer = steps.step(found, kafka).as_json()
        assert {number} == {
            len(column) for api in ("games", "analytics") for column in answer["history"][api].values()
        } | {len(answer["history"]["at"])}
        if isinstance(found, Silent):
            assert {None} == {one["applied"] for one in answer["topics"]}
        if not isinstance(kafka, dict | TopicFacts):
            assert {None} == {one["accepted"] for one in answer["topics"]}
        steps.at += 2_000


def test_facts_are_frozen() -> None:
    """So that a snapshot never changes after it was made."""
    with pytest.raises(AttributeError):
        Facts(NOW, Silent("x"), None).at_millis = 1  # type: ignore[misc]
