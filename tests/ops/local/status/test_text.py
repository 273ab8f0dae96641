"""What `status` prints for people."""

from console.observer.snapshot import PartitionNow, TopicNow
from ops.local.state import Run
from ops.local.status.balance import unknown
from ops.local.status.health import Health, ProcessNow
from ops.local.status.text import balance_text, process_line, status_text
from ops.local.status.traffic import Traffic

BALANCE = {
    "accepted": 6,
    "applied": 1,
    "duplicate": 2,
    "refused": 0,
    "dead": 0,
    "gaps": 1,
    "in_flight": 2,
    "holds": True,
}
SUM = "6 accepted = 1 applied + 2 duplicate + 0 refused + 0 dead + 1 gaps + 2 in flight"
SINCE_MILLIS = 1_795_867_200_000


def test_each_process_is_a_line() -> None:
    """Its id, since when, how often it was started again, its address, and what is missing."""
    kafka = process_line(ProcessNow("kafka", "ready", "", "a:1", None))
    worker = process_line(ProcessNow("worker-1", "not ready", "missing: kafka", "http://w", 7, Run(SINCE_MILLIS, 2)))
    assert ["kafka", "ready", "a:1"] == kafka.split()
    words = "worker-1 not ready pid 7 since 2026-11-28T12:00:00Z 2 restarts http://w missing: kafka"
    assert words == " ".join(worker.split())
    assert "1 restart " in process_line(ProcessNow("x", "ready", "", "a:1", 7, Run(SINCE_MILLIS, 1)))
    assert "since" not in process_line(ProcessNow("x", "down", "", "a:1", 0, Run(None, 1)))


def test_a_sum_that_does_not_add_up_can_not_be_overlooked() -> None:
    assert SUM == balance_text(BALANCE)
    assert f"{SUM} -- THIS DOES NOT ADD UP: run `tallymill verify`" == balance_text({**BALANCE, "holds": False})


def test_each_topic_has_its_rates_its_lag_its_worst_partition_and_its_balance() -> None:
    behind = PartitionNow(3, "host:7", 20, 0.42, 5, 25, owned=True)
    busy = TopicNow(
        "games",
        "t.records",
        accepted_per_second=101.44,
        counted_per_second=98.0,
        lag_records=20,
        lag_seconds=0.42,
        partitions=(behind,),
    )
    idle = TopicNow("analytics", "t.pools", lag_records=0, lag_seconds=0.0, counted_per_second=0.0)
    health = Health(
        [], {"balance": {"t.records": BALANCE, "gone": BALANCE}, "lost": [], "perhaps_lost": []}, Traffic((busy, idle))
    )
    assert [
        "ready (supervisor 10)",
        "gone:",
        f"  balance: {SUM}",
        "t.pools (analytics): unknown accepted/s, 0.0 counted/s, lag 0 records",
        "t.records (games): 101.4 accepted/s, 98.0 counted/s, lag 20 records, 0.4 s",
        "  worst: partition 3, lag 20 records, 0.4 s, owner host:7",
        f"  balance: {SUM}",
    ] == status_text(10, health).splitlines()


def test_what_is_not_known_is_said() -> None:
    """Once as a problem, and once where the number would be."""
    stopped = PartitionNow(0, None, None, None, stopped="the log was cut")
    silent = TopicNow("games", "t", partitions=(stopped,))
    first, *lines = status_text(10, Health([], unknown("a"), Traffic((silent,), why="b"))).splitlines()
    assert "not ready (supervisor 10)" == first
    assert "t (games): unknown accepted/s, unknown counted/s, lag unknown" in lines
    assert "  worst: partition 0, lag unknown, no owner, stopped: the log was cut" in lines
    assert ["lag unknown: b", "balance unknown: a"] == lines[-2:]
    assert "rates and lag unknown: b" in status_text(10, Health([], unknown("a"), Traffic(why="b")))


def test_lost_records_come_first() -> None:
    found = Health(
        [ProcessNow("kafka", "frozen", "", "k:1", 1)],
        {"balance": {}, "lost": ["t, offsets 1 to 2"], "perhaps_lost": []},
    )
    lost, phase, problem, *_ = status_text(10, found).splitlines()
    assert ("LOST: t, offsets 1 to 2", "not ready (supervisor 10)", "! kafka: frozen") == (lost, phase, problem)
