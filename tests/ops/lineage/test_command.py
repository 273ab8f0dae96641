"""Where a new lineage may start, and how lineages are shown; without any server."""

from collections.abc import Mapping
from typing import Any

import pytest

from consumer.ports import TopicIdentity
from ops.lineage.context import partition_states, partitions_now
from ops.lineage.offsets import (
    BadStart,
    PartitionNow,
    given_up,
    lost_with_topic,
    starts_of,
    to_be_checked,
    too_old,
    warnings_of,
)
from ops.lineage.store import NewLineage, free_id, lineage_document
from ops.topic import TopicNow
from schemas.checkpoints import LAYOUT
from schemas.documents import utc
from tests.samples import DAY, NOW

IDENTITY = TopicIdentity("c", "t", "1")
PARTITIONS = {0: PartitionNow(0, 5, 20, 10), 1: PartitionNow(1, 0, 7, 7)}
LINEAGE = {"_id": "r1", "topic": "t", "generation": 1, "cluster": "c", "topicId": "1"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("beginning", {0: 5, 1: 0}),
        ("end", {0: 20, 1: 7}),
        ("6", {0: 6, 1: 6}),
        ('{"0": 10, "1": 0}', {0: 10, 1: 0}),
    ],
)
def test_a_start_is_two_words_a_number_or_a_map(text: str, expected: Mapping[int, int]) -> None:
    """A number holds for all partitions."""
    assert expected == starts_of(text, PARTITIONS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("start", "must be beginning"),
        ("-1", "must map partitions"),
        ("true", "must map partitions"),
        ('{"a": 1}', "must map partitions"),
        ('{"0": "1"}', "must map partitions"),
        ('{"0": 10}', "partitions 1 are missing"),
        ('{"0": 10, "1": 0, "2": 0}', "no partitions 2"),
        ("21", "partition 0 can start at offsets 5 to 20, not at 21"),
        ("4", "partition 0 can start at offsets 5 to 20, not at 4"),
    ],
)
def test_a_start_that_can_not_be_is_told(text: str, words: str) -> None:
    """With what would do."""
    with pytest.raises(BadStart, match=r".") as raised:
        starts_of(text, PARTITIONS)
    assert words in str(raised.value)


def test_every_wrong_offset_is_told_at_once() -> None:
    """One by one would cost several tries."""
    with pytest.raises(BadStart, match="not at 100") as raised:
        starts_of("100", PARTITIONS)
    assert 2 == len(raised.value.problems)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("beginning", [0, 1]), ("end", []), ('{"0": 10, "1": 7}', []), ('{"0": 9, "1": 7}', [0]), ("7", [0])],
)
def test_what_is_read_again_must_be_young_enough(text: str, expected: list[int]) -> None:
    """Not the records from the checkpoint on: none of them has counted."""
    assert expected == to_be_checked(text, starts_of(text, PARTITIONS), PARTITIONS)


def test_a_log_of_which_nothing_was_applied_is_looked_at_too() -> None:
    """It may be a copy of one that was."""
    assert [0] == to_be_checked("3", {0: 3}, {0: PartitionNow(0, 0, 9)})


def test_records_older_than_the_ids_that_are_kept_are_refused() -> None:
    """To the second. Without an answer about the first record, that is unknown."""
    now = utc(NOW)
    kept = 14 * DAY // 1000
    assert [] == too_old({0: NOW - 14 * DAY + 1}, kept, now)
    (told,) = too_old({0: NOW - 14 * DAY, 1: NOW}, kept, now)
    assert "partition 0: its first record is 1209600 s old" in told
    assert "counted a second time" in told
    assert "its age is unknown" in too_old({0: None}, kept, now)[0]


def ranges(starts: Mapping[int, int], partitions: Mapping[int, PartitionNow]) -> list[tuple[Any, ...]]:
    return [(one["partition"], one["from"], one["to"], one["why"]) for one in given_up(starts, partitions)]


def test_what_is_read_again_is_told() -> None:
    """By offsets."""
    assert [] == warnings_of({0: 12, 1: 7}, PARTITIONS)
    (again,) = warnings_of({0: 10, 1: 2}, PARTITIONS)
    assert again.startswith("partition 1: offsets 2 to 6 are read again")
    (again,) = warnings_of({0: 3}, {0: PartitionNow(0, 0, 20, 10, cut_at=6)})
    assert again.startswith("partition 0: offsets 3 to 5 are read again"), "what lies above was never counted"


def test_what_is_left_out_is_given_up() -> None:
    """By offsets, with why: what retention took, and what the operator leaves."""
    assert [(0, 10, 12, "left_out")] == ranges({0: 12, 1: 7}, PARTITIONS)
    assert [] == ranges({0: 7, 1: 2}, PARTITIONS)
    assert [(0, 3, 8, "removed"), (0, 8, 9, "left_out")] == ranges({0: 9}, {0: PartitionNow(0, 8, 9, 3)})
    added = PartitionNow(0, 4, 9)
    assert [(0, 0, 4, "removed"), (0, 4, 6, "left_out")] == ranges({0: 6}, {0: added})
    of_a_new_topic = PartitionNow(0, 4, 9, is_same_topic=False)
    assert [(0, 4, 6, "left_out")] == ranges({0: 6}, {0: of_a_new_topic})


def test_what_an_older_lineage_has_counted_is_not_given_up() -> None:
    """One that read again from further back, and was followed before it was through."""
    assert [(0, 10, 12, "left_out")] == ranges({0: 12}, {0: PartitionNow(0, 0, 20, 7, ((0, 10), (5, 7)))})


def test_of_a_log_that_was_cut_nobody_knows_how_much_is_gone() -> None:
    """What lay behind the checkpoint; and what was written since below it, where the start leaves it out."""
    cut = PartitionNow(0, 0, 20, 10, ((0, 10),), cut_at=6)
    assert [(0, 10, None, "cut")] == ranges({0: 6}, {0: cut})
    assert [(0, 10, None, "cut"), (0, 6, 20, "left_out")] == ranges({0: 20}, {0: cut})


def test_a_topic_made_anew_takes_what_was_not_applied_with_it() -> None:
    """The number of such records is unknown."""
    assert [] == lost_with_topic({})
    assert [{"partition": 0, "from": 7, "to": None, "why": "topic_gone"}] == lost_with_topic({"r1/00": {"next": 7}})


def test_a_lineage_id_is_never_used_twice() -> None:
    """One after the highest, whatever else is there."""
    assert ["r1", "r3", "r11"] == [free_id([]), free_id(["r2", "x"]), free_id(["r9", "r10"])]


def test_a_lineage_says_its_lowest_start() -> None:
    """And the layout of the version that starts it. Each checkpoint has its own start."""
    found = lineage_document("r2", NewLineage(IDENTITY, 2, {0: 9, 1: 4}, "because"), utc(NOW))
    assert (4, 2, "because", LAYOUT) == (found["from"], found["generation"], found["reason"], found["layout"])


# How they are shown.


def checkpoint(following: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 the fields of a document
    return {"next": following, "last": None, **more}


def shown(
    found: Mapping[str, dict[str, Any]],
    bounds: Mapping[int, tuple[int, int]],
    topic_id: str = "1",
    *,
    newest: bool = True,
) -> list[tuple[str, str]]:
    topic = TopicNow(TopicIdentity("c", "t", topic_id), bounds)
    states = partition_states(LINEAGE, found, topic, in_force=newest)
    return [(one.partition, one.state) for one in states]


@pytest.mark.parametrize(
    ("expected", "found", "bounds"),
    [
        ("ok", checkpoint(9), (0, 9)),
        ("behind", checkpoint(7), (0, 9)),
        ("lost", checkpoint(9), (0, 5)),
        ("lost", checkpoint(3), (5, 9)),
        ("stopped", checkpoint(7, stopped="why"), (0, 9)),
    ],
)
def test_a_partition_is_held_against_its_log(expected: str, found: dict[str, Any], bounds: tuple[int, int]) -> None:
    """By the same rule that the worker reads on by."""
    assert [("r1/00", expected)] == shown({"r1/00": found}, {0: bounds})


def test_partitions_that_only_one_side_knows_are_shown_too() -> None:
    """One that no worker has taken; one that the topic has no more; all of another topic, or of an old lineage."""
    assert [("r1/00", "ok"), ("r1/01", "behind")] == shown({"r1/00": checkpoint(9)}, {0: (0, 9), 1: (0, 3)})
    assert [("r1/00", "lost")] == shown({"r1/00": checkpoint(9)}, {1: (0, 0)})[:1]
    assert [("r1/00", "lost")] == shown({"r1/00": checkpoint(9)}, {0: (0, 9)}, "2")
    assert [("r1/00", "old")] == shown({"r1/00": checkpoint(9)}, {0: (0, 9), 1: (0, 9)}, newest=False)
    nowhere = partition_states(LINEAGE, {"r1/00": checkpoint(9)}, TopicNow(None, {}, "gone"), in_force=True)
    assert [("unknown", "gone")] == [(one.state, one.detail) for one in nowhere]


def test_another_topic_has_nothing_applied() -> None:
    """Its offsets begin at 0 again, whatever the old checkpoints say."""
    topic, found = TopicNow(IDENTITY, {0: (0, 9), 1: (0, 3)}), {"r1/00": checkpoint(4, start=1)}
    assert {0: PartitionNow(0, 0, 9, 4, ((1, 4),)), 1: PartitionNow(1, 0, 3, None, ((0, 0),))} == partitions_now(
        topic, [LINEAGE], found
    )
    anew = partitions_now(topic, [LINEAGE | {"topicId": "2"}], found)
    assert [(None, False, ())] * 2 == [(one.applied_to, one.is_same_topic, one.counted) for one in anew.values()]


def test_a_log_that_was_cut_is_so_for_a_new_lineage_too() -> None:
    """Its last record shows it, or its end."""
    found = {"r1/00": checkpoint(4, start=0), "r1/01": checkpoint(9, start=0)}
    topic = TopicNow(IDENTITY, {0: (0, 9), 1: (0, 3)})
    partitions = partitions_now(topic, [LINEAGE], found, {"r1/00": 2})
    assert [2, 3] == [one.cut_at for one in partitions.values()]


def test_a_partition_that_was_cut_is_lost_and_says_where() -> None:
    """Whether or not anything was written there since."""
    topic = TopicNow(IDENTITY, {0: (0, 9), 1: (0, 3)})
    found = {"r1/00": checkpoint(4), "r1/01": checkpoint(9)}
    states = partition_states(LINEAGE, found, topic, {"r1/00": 2, "r1/01": 3}, in_force=True)
    assert ["lost", "lost"] == [one.state for one in states]
    assert "Offsets 2 to 3 hold up to 2 records that are not counted" in states[0].detail
    assert "No record was written there since" in states[1].detail
