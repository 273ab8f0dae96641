"""A snapshot of the observer for tests of what shows it: a system under load, with one partition that is stopped."""

from console.observer.snapshot import Check, History, PartitionNow, Point, Snapshot, TopicNow, Visible

# 2026-11-23T00:01:00Z
NOW = 1_795_392_060_000


def example_snapshot() -> Snapshot:
    """Every field has a value, and some are null, as they may be."""
    return Snapshot(
        as_of_millis=NOW,
        state="degraded",
        since_millis=NOW - 42_000,
        reasons=("games: partition 1 is stopped: the log was cut. No worker reads it.",),
        topics=(_games(), _analytics()),
        refused_per_second={"INVALID_UPDATE_VALUE": 1.5},
        history=_history(),
        last_verify=Check(NOW - 3_600_000, ok=True, detail="1,200 records of 2 topics were counted exactly once"),
        last_doctor=Check(NOW - 7_200_000, ok=False, detail="the topic tallymill.records has one replica"),
    )


def _games() -> TopicNow:
    return TopicNow(
        api="games",
        topic="tallymill.records",
        accepted=1_000,
        applied=900,
        duplicate=30,
        refused=20,
        dead=1,
        gaps=4,
        in_flight=45,
        difference=0,
        accepted_per_second=120.5,
        counted_per_second=118.0,
        lag_records=45,
        lag_seconds=42.0,
        visible=Visible(p50=0.05, p99=0.25),
        dead_letters_open=1,
        partitions=(
            PartitionNow(0, "worker-1", 5, 0.1, 495, 500, NOW - 100, None, 604_799.9, owned=True),
            PartitionNow(1, "worker-2", 40, 42.0, 460, 500, NOW - 42_000, "the log was cut", 604_758.0, owned=True),
        ),
    )


def _analytics() -> TopicNow:
    """Nothing has ever come in."""
    idle = PartitionNow(0, "worker-1", 0, 0.0, 0, 0, None, None, 604_800.0, owned=True)
    return TopicNow("analytics", "tallymill.analytics", 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0, 0.0, None, 0, (idle,))


def _history() -> History:
    """The second of three steps did not reach Kafka."""
    unknown, quiet = Point(), Point(0.0, 0.0, 0.0, None, None)
    return History(
        at_millis=(NOW - 4_000, NOW - 2_000, NOW),
        points={
            "games": (Point(118.0, 119.0, 40.0, 0.05, 0.2), unknown, Point(120.5, 118.0, 42.0, 0.05, 0.25)),
            "analytics": (quiet, unknown, quiet),
        },
    )
