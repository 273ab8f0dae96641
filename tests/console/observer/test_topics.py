"""One topic in numbers: sums, lag, and what is not known."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from console.observer.facts import Silent, TopicFacts
from console.observer.snapshot import PartitionNow, TopicNow
from console.observer.topics import topic_now
from tests.console.observer.facts import TOPICS, checkpoint, facts, lineage, mongodb, topic
from tests.console.snapshots import NOW

GAMES = TOPICS[0]
SILENT = Silent("no answer")
_counts = st.integers(0, 40)
# start, applied, duplicate, refused, dead, gaps, waiting; without a checkpoint where the last is false.
_partitions = st.lists(st.tuples(*[_counts] * 7, st.booleans()), min_size=1, max_size=5)


@given(_partitions)
def test_o3_accepted_is_the_sum_of_the_fates_gaps_and_what_is_in_flight(partitions: list[tuple[int, ...]]) -> None:
    """Of all partitions, those without a checkpoint too. Nothing counts twice, so the difference is 0."""
    checkpoints, bounds = [], []
    for number, (start, applied, duplicate, refused, dead, gaps, waiting, has) in enumerate(partitions):
        fates = {"duplicate": duplicate, "refused": refused, "dead": dead}
        following = start + applied + duplicate + refused + dead + gaps
        if has:
            checkpoints.append(checkpoint(number, following, start=start, gaps=gaps, fates=fates))
        bounds.append((start, following + waiting))
    now = topic_now(GAMES, facts(mongodb(*checkpoints), topic(*bounds)))
    named = (now.applied, now.duplicate, now.refused, now.dead, now.gaps, now.in_flight)
    assert (sum(end - begin for begin, end in bounds), 0) == (now.accepted, now.difference)
    assert now.accepted == sum(one for one in named if one is not None)
    assert now.in_flight == now.lag_records == sum(one.lag_records or 0 for one in now.partitions)


def _numbers(now: TopicNow | PartitionNow) -> dict[str, object]:
    """Fields that are measured; not names, and not what has a number without being one."""
    left_out = ("api", "topic", "partitions", "partition", "owned", "removed")
    return {name: getattr(now, name) for name in now.__slots__ if name not in left_out}


def test_o2_nothing_that_is_not_known_is_a_number() -> None:
    """Without MongoDB only the ends are known, without Kafka only what checkpoints say, without both nothing."""
    known, ends = mongodb(checkpoint(0, 5), dead_letters_open={"records1": 2}), topic((0, 9), oldest={0: NOW})
    without_both = topic_now(GAMES, facts(SILENT, SILENT))
    assert {None} == set(_numbers(without_both).values())
    without_mongodb = topic_now(GAMES, facts(SILENT, ends))
    assert {None} == set(_numbers(without_mongodb).values())
    assert {"end": 9} == {n: v for n, v in _numbers(without_mongodb.partitions[0]).items() if v is not None}
    for kafka in (SILENT, None):
        without_kafka = topic_now(GAMES, facts(known, kafka))
        assert (5, 0, 0, 0, 0, 2) == (
            without_kafka.applied,
            without_kafka.duplicate,
            without_kafka.refused,
            without_kafka.dead,
            without_kafka.gaps,
            without_kafka.dead_letters_open,
        )
        unknown = replace(without_kafka, applied=None, duplicate=None, refused=None, dead=None, gaps=None)
        assert {None} == set(_numbers(replace(unknown, dead_letters_open=None)).values())
        (one,) = without_kafka.partitions
        assert (5, None, None, None) == (one.next, one.lag_records, one.lag_seconds, one.headroom_seconds)


def test_o4_a_lag_in_seconds_is_the_age_of_the_oldest_uncounted_record() -> None:
    """0 where none waits. Where it could not be read it is unknown, and so is the topic's."""
    found = mongodb(checkpoint(0, 9), checkpoint(1, 5))
    now = topic_now(GAMES, facts(found, topic((0, 9), (0, 9), oldest={1: NOW - 1_500})))
    assert [0.0, 1.5] == [one.lag_seconds for one in now.partitions]
    assert (1.5, 604_798.5) == (now.lag_seconds, now.partitions[1].headroom_seconds)
    unread = topic_now(GAMES, facts(found, topic((0, 9), (0, 9))))
    assert (4, None, None) == (unread.lag_records, unread.lag_seconds, unread.partitions[1].headroom_seconds)
    ahead = topic_now(GAMES, facts(found, topic((0, 9), (0, 9), oldest={1: NOW + 50})))
    assert 0.0 == ahead.lag_seconds


def test_one_frozen_leader_makes_the_sums_unknown_and_no_other_partition() -> None:
    found = mongodb(checkpoint(0, 5), checkpoint(1, 5))
    now = topic_now(GAMES, facts(found, topic((0, 9), None, oldest={0: NOW})))
    assert (None, None, None, None) == (now.accepted, now.in_flight, now.lag_records, now.lag_seconds)
    assert [4, None] == [one.lag_records for one in now.partitions]
    assert 10 == now.applied


def test_o3_offsets_of_another_topic_are_not_compared() -> None:
    """It was created again: its ends mean other records."""
    now = topic_now(GAMES, facts(mongodb(checkpoint(0, 50)), topic((0, 3), topic_id="another")))
    assert (50, None, None) == (now.applied, now.accepted, now.difference)
    assert (None, None) == (now.lag_records, now.partitions[0].end)
    missing = topic_now(GAMES, facts(mongodb(checkpoint(0, 50)), TopicFacts()))
    assert (50, None, None) == (missing.applied, missing.accepted, missing.lag_records)


def test_the_newest_lineage_counts_alone_but_open_dead_letters_are_of_all() -> None:
    of_both = mongodb(
        checkpoint(0, 50),
        checkpoint(0, 3, lineage="records2"),
        lineages=[lineage(), lineage(generation=2), lineage("pools")],
        dead_letters_open={"records1": 2, "records2": 1, "pools1": 7},
    )
    now = topic_now(GAMES, facts(of_both, topic((0, 4), topic_id="records-2", oldest={0: NOW})))
    assert (3, 4, 1, 0, 3) == (now.applied, now.accepted, now.in_flight, now.difference, now.dead_letters_open)


def test_records_that_retention_removed_uncounted_are_known() -> None:
    now = topic_now(GAMES, facts(mongodb(checkpoint(0, 50)), topic((60, 100), oldest={0: NOW})))
    assert (10, 40) == (now.partitions[0].removed, now.lag_records)


def test_a_log_that_was_cut_does_not_balance() -> None:
    now = topic_now(GAMES, facts(mongodb(checkpoint(0, 50)), topic((0, 45))))
    assert (-5, 0, 0) == (now.difference, now.in_flight, now.lag_records)


def test_o4_a_partition_has_an_owner_only_while_the_group_says_so() -> None:
    """A worker that was killed leaves its name in the checkpoint. Where the group is not known, that name is shown."""
    found = mongodb(checkpoint(0, 5), checkpoint(1, 5))
    now = topic_now(GAMES, facts(found, topic((0, 5), (0, 5), owned=frozenset({1}))))
    assert [(None, False), ("w:1", True)] == [(one.owner, one.owned) for one in now.partitions]
    unknown = topic_now(GAMES, facts(found, topic((0, 5), (0, 5), owned=None)))
    assert [("w:1", None)] * 2 == [(one.owner, one.owned) for one in unknown.partitions]
