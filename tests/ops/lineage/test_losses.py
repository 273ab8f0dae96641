"""What was acknowledged and can't be counted any more; without any server."""

from collections.abc import Sequence
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from consumer.ports import TopicIdentity
from ops.doctor.command import losses_checks
from ops.lineage.losses import Known, LogNow, Loss, losses_of, lost_text, minus, open_losses
from ops.lineage.offsets import PartitionNow, given_up
from ops.lineage.store import NewLineage, lineage_document
from ops.verify.report import Differences, Report, as_json, as_text
from schemas.documents import utc

Document = dict[str, Any]

END = 30


def lineage(generation: int = 1, topic_id: str = "1", **more: Any) -> Document:  # noqa: ANN401 a document's fields
    about = {"topic": "t", "cluster": "c", "topicId": topic_id, "generation": generation, "reason": "because"}
    return {"_id": f"r{generation}", **about, **more}


def checkpoints(*spans: tuple[int, int]) -> dict[str, Document]:
    """Of partition 0, one a lineage."""
    return {f"r{n}/00": {"_id": f"r{n}/00", "start": at, "next": to} for n, (at, to) in enumerate(spans, 1)}


def found(
    lineages: Sequence[Document],
    spans: Sequence[tuple[int, int]],
    bounds: tuple[int, int] = (0, END),
    *,
    topic_id: str = "1",
    cuts: dict[str, int] | None = None,
    later: dict[str, int] | None = None,
) -> list[Loss]:
    logs = {"t": LogNow("c", topic_id, {0: bounds})}
    return losses_of(Known(lineages, checkpoints(*spans), logs, cuts or {}, later or {}))


def ranges(losses: Sequence[Loss]) -> list[tuple[Any, ...]]:
    return [(one.lineage, one.offsets.first, one.offsets.end, one.why) for one in losses]


def test_nothing_is_lost_where_the_log_reaches_back_to_the_checkpoint() -> None:
    assert [] == found([lineage()], [(0, 9)], (9, 12))
    assert "" == lost_text([])


def test_records_removed_before_they_were_counted_are_lost() -> None:
    """Also of a partition without an owner. Records that a worker counted during the check are not lost."""
    assert [("r1", 9, 13, "removed")] == ranges(found([lineage()], [(0, 9)], (13, 20)))
    assert [("r1", 0, 13, "removed")] == ranges(found([lineage()], [], (13, 20)))
    assert [] == found([lineage()], [(0, 9)], (13, 20), later={"r1/00": 14})


def test_a_log_that_was_cut_is_named_though_nobody_knows_how_much_is_gone() -> None:
    """By its end, or by the last record that was counted."""
    (short,) = found([lineage()], [(0, 9)], (0, 5))
    assert (5, 5, "cut") == (short.offsets.first, short.offsets.end, short.why)
    assert "was cut below the checkpoint, at offset 5 (offsets below 9 were counted from the old log" in str(short)
    (regrown,) = found([lineage()], [(0, 9)], (0, 20), cuts={"r1/00": 4})
    assert (4, 9, 5) == (regrown.offsets.first, regrown.offsets.end, regrown.offsets.records)
    assert "Offsets 4 to 8 hold up to 5 records that are not counted" in str(regrown)


def test_a_topic_that_is_gone_or_another_takes_what_was_not_counted_with_it() -> None:
    """Unknown is not "no loss"."""
    assert [("r1", 9, None, "topic_gone")] == ranges(found([lineage()], [(0, 9)], topic_id="2"))
    no_such_partition = LogNow("c", "1", {})
    known = Known([lineage()], checkpoints((0, 9)), {"t": no_such_partition}, {}, {})
    assert [("r1", 9, None, "topic_gone")] == ranges(losses_of(known))
    gone = Known([lineage()], checkpoints((0, 9)), {"t": LogNow(problem="no topic t there")}, {}, {})
    (loss,) = losses_of(gone)
    assert (9, None, "unknown") == (loss.offsets.first, loss.offsets.end, loss.why)
    assert "no topic t there" in str(loss)
    assert lost_text([loss]).startswith(
        "UNKNOWN: t, partition 0: the log can't be compared. Whether records from offset 9"
    )


def test_what_a_lineage_gave_up_stays_lost_until_a_later_one_reads_it_again() -> None:
    """Written down by its start, or by the offsets of lineages of before."""
    writings: list[Document] = [{}, {"lost": [{"partition": 0, "from": 9, "to": 13, "why": "left_out"}]}]
    for more in writings:
        two = [lineage(), lineage(2, **more)]
        (loss,) = found(two, [(0, 9), (13, 15)])
        assert ("r2", 9, 13, "left_out", "because") == (
            loss.lineage,
            loss.offsets.first,
            loss.offsets.end,
            loss.why,
            loss.reason,
        )
        assert "given up by lineage r2: because" in str(loss)
        assert [("r2", 9, 11, "left_out")] == ranges(found([*two, lineage(3)], [(0, 9), (13, 15), (11, 11)]))
        assert [] == found([*two, lineage(3)], [(0, 9), (13, 15), (8, 8)])


def test_a_lineage_that_is_to_read_from_the_beginning_gives_nothing_up_before_it_has_counted() -> None:
    """A checkpoint from 0 to 0 counts as one. Without a checkpoint it is unknown whether the partition is read."""
    left_out = {"partition": 0, "from": 0, "to": 13, "why": "left_out"}
    three = [lineage(), lineage(2, lost=[left_out]), lineage(3)]
    assert [] == found(three, [(0, 0), (13, 13), (0, 0)])
    assert [("r2", 0, 13, "left_out")] == ranges(found(three, [(0, 0), (13, 13)]))


def test_what_the_topic_took_with_it_is_never_read_again() -> None:
    """The old topic's records, whatever the new one's offsets are; and what the new one's start left out."""
    two = [lineage(), lineage(2, "2")]
    losses = found(two, [(0, 9), (3, 4)], topic_id="2")
    assert [("r2", 9, None, "topic_gone"), ("r2", 0, 3, "left_out")] == ranges(losses)
    assert ("r2", 9, None, "topic_gone") in ranges(
        found([*two, lineage(3, "2")], [(0, 9), (3, 4), (0, 0)], topic_id="2")
    )


def test_an_accepted_loss_is_named_and_what_is_lost_later_is_new() -> None:
    """Accepted are these offsets for this cause, no others."""
    accepted = {"partition": 0, "from": 9, "to": 13, "why": "removed", "reason": "test data", "at": utc(0)}
    one = lineage(accepted=[accepted])
    (loss,) = found([one], [(0, 9)], (13, 20))
    assert ("test data", []) == (loss.accepted, open_losses([loss]))
    assert lost_text([loss]).startswith("lost, accepted (test data): t, partition 0: offsets 9 to 12")
    (more,) = found([one], [(0, 9)], (14, 20))
    assert lost_text([loss, more]).startswith("LOST: t, partition 0: offsets 9 to 13 were removed")
    (cut,) = found([one], [(0, 11)], (0, 10))
    assert cut.accepted is None
    everything = lineage(accepted=[{**accepted, "to": None, "why": "cut"}])
    assert "test data" == found([everything], [(0, 11)], (0, 10))[0].accepted
    assert (
        "test data"
        == found([lineage(accepted=[{**accepted, "to": None, "why": "topic_gone"}])], [(0, 9)], topic_id="2")[
            0
        ].accepted
    )
    assert found([one], [(0, 8)], (13, 20))[0].accepted is None, "it begins before what was accepted"


def test_what_was_counted_of_a_log_before_it_was_cut_is_no_excuse() -> None:
    """Offsets 9 to 12 were counted by r1, of the old log; of the new one they were removed uncounted."""
    cut = lineage(2, lost=[{"partition": 0, "from": 20, "to": None, "why": "cut"}])
    losses = found([lineage(), cut], [(0, 20), (5, 9)], (13, 20))
    assert [("r2", 20, None, "cut"), ("r2", 9, 13, "removed")] == ranges(losses)


def test_a_start_may_accept_what_it_gives_up() -> None:
    identity = TopicIdentity("c", "t", "1")
    lost = given_up({0: 13}, {0: PartitionNow(0, 0, 20, 9)})
    for accepted, expected in ((None, 1), ("because", 0)):
        document = lineage_document("r2", NewLineage(identity, 2, {0: 13}, "because", lost, accepted), utc(0))
        assert expected == len(open_losses(found([lineage(), document], [(0, 9), (13, 13)])))


def test_verify_and_doctor_say_it_first_and_never_no_difference() -> None:
    loss = found([lineage()], [(0, 9)], (13, 20))[0]
    report = Report([], [], Differences(), 0, 0, losses=[loss])
    text = as_text(report)
    assert text.startswith("LOST: t, partition 0: offsets 9 to 12 were removed from the log before they were counted")
    assert "no difference" not in text
    assert (1, 4) == (len(as_json(report)["lost"]), loss.offsets.records)
    assert "lost" == next(iter(as_json(report)))
    assert ["wrong"] == [check.state for check in losses_checks([loss])]
    assert ["ok"] == [check.state for check in losses_checks([])]


@given(
    spans=st.lists(
        st.tuples(st.integers(0, END), st.integers(0, END)).map(lambda two: (min(two), max(two))), min_size=1
    ),
    begin=st.integers(0, END),
    written=st.booleans(),
)
@example(spans=[(0, 0), (1, 1), (0, 0)], begin=0, written=False)
@example(spans=[(0, 0), (1, 1), (0, 0)], begin=0, written=True)
def test_lost_is_what_no_lineage_counts_and_none_will(
    spans: list[tuple[int, int]], begin: int, *, written: bool
) -> None:
    """Whatever starts operators choose, and whether or not they were written down; to the offset."""
    spans = [(0, spans[0][1]), *spans[1:]]
    lineages: list[Document] = []
    for n, (start, _) in enumerate(spans, 1):
        lineages.append(lineage(n))
        if written and n > 1:
            partition = PartitionNow(0, 0, END, spans[n - 2][1], tuple(spans[: n - 1]))
            lineages[-1]["lost"] = given_up({0: start}, {0: partition})
    losses = found(lineages, spans, (begin, END))
    lost = {offset for loss in losses for offset in range(loss.offsets.first, loss.offsets.end or 0)}
    counted = {offset for start, end in spans for offset in range(start, end)}
    coming = set(range(max(begin, spans[-1][1]), END))
    was_read_to = max(max(start, end) for start, end in spans)
    reachable = set(range(max(was_read_to, begin)))
    assert reachable - counted - coming == lost


@given(st.tuples(st.integers(0, 20), st.integers(0, 20)), st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20))))
def test_minus_leaves_what_is_in_none_of_the_parts(whole: tuple[int, int], parts: list[tuple[int, int]]) -> None:
    left = [offset for first, end in minus(whole, parts) for offset in range(first, end)]
    assert left == [n for n in range(*whole) if not any(first <= n < end for first, end in parts)]
