"""The goals: what is to be reached, in which benchmark, and between which bounds. Declared here and nowhere else."""

from dataclasses import dataclass

from bench.figures import Figure, Measured, figure, ratio


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound of one figure: a ratio of two subjects of the same run, or an absolute figure of one subject."""

    bench: str
    """The program, `python -m bench.NAME`, and after a colon the variant of it."""
    what: str
    field: str
    subject: str
    against: str = ""
    """The subject that it is divided by. Empty: an absolute figure."""
    at_least: float | None = None
    at_most: float | None = None
    unit: str = ""

    @property
    def key(self) -> str:
        """Identifies the goal in bench/results.json."""
        return f"{self.bench} {self.field} {self.subject}" + (f" / {self.against}" if self.against else "")

    @property
    def bound(self) -> str:
        return f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}{self.unit}"

    def figure(self, measured: Measured) -> Figure | None:
        """The figure in what a run measured. None if the run did not measure it."""
        if self.against:
            return ratio(measured, self.field, self.subject, self.against)
        return figure(measured, self.field, self.subject)

    def is_reached(self, value: float) -> bool:
        if self.at_least is not None:
            return value >= self.at_least
        return self.at_most is None or value <= self.at_most


GOALS = (
    # One worker that drains a full topic.
    Goal("drain", "own CPU a record: worker / batched", "own_cpu", "tallymill", "batched", at_most=0.5),
    Goal("drain", "records/s: worker / batched", "rate", "tallymill", "batched", at_least=3),
    Goal("drain", "records/s: worker / connector", "rate", "tallymill", "connector", at_least=1.3),
    Goal("drain", "records/s: worker / Quix Streams", "rate", "tallymill", "quix", at_least=6),
    Goal("drain", "records/s: worker / replay", "rate", "tallymill", "replay", at_least=0.75),
    Goal("drain", "mongod's CPU a record: worker / connector", "mongod_cpu", "tallymill", "connector", at_most=2.5),
    Goal("drain", "memory of a worker with a backlog", "peak_mib", "tallymill", at_most=300, unit=" MiB"),
    Goal("scale", "CPU a record: 2 workers / 1", "own_cpu", "2 workers", "1 worker", at_most=1.1),
    Goal("scale", "CPU a record: 4 workers / 1", "own_cpu", "4 workers", "1 worker", at_most=1.1),
    # A worker is killed and another takes over.
    Goal("rebalance", "no progress of a killed worker's partitions", "dead", "session 6 s", at_most=15, unit=" s"),
    Goal("rebalance", "no progress of the other partitions", "living", "session 6 s", at_most=2, unit=" s"),
    # Pools of analytics items.
    Goal("analytics:20", "own CPU an item, pools of 20: worker / replay", "own_cpu", "tallymill", "replay", at_most=2),
    # Half of what it was on 2026-11-28: 140 us against 7.7.
    Goal("analytics:1", "own CPU an item, pools of 1: worker / replay", "own_cpu", "tallymill", "replay", at_most=9),
    # The ingress.
    Goal("ingress", "CPU a request: floor / acked", "cpu", "floor", "acked", at_least=0.55),
    Goal("ingress", "requests/s: acked / FastAPI", "rate", "acked", "fastapi", at_least=3),
    Goal("ingress", "requests/s: counted / acked", "rate", "counted", "acked", at_least=0.7),
    Goal("ingress", "p99 at half of the peak: acked", "half_p99_ms", "acked", at_most=100, unit=" ms"),
    Goal("visible", "p99 from accepted to visible, at half of the peak", "p99_ms", "half", at_most=250, unit=" ms"),
    # What it was at 490 requests/s on 2026-11-26.
    Goal("visible", "p99 from accepted to visible, at 500 requests/s", "p99_ms", "500/s", at_most=185, unit=" ms"),
    # Remembered ids.
    Goal("steady", "mongod's CPU an id, inserted and expired: packed / single", "cpu", "packed", "single", at_most=0.6),
    Goal("steady", "mongod's CPU an expired id: packed / single", "expiry_cpu", "packed", "single", at_most=0.3),
    Goal("steady", "ids/s expired / ids/s inserted: packed", "expiry_over_inserts", "packed", at_least=10),
    Goal("steady", "bytes an id: packed / single", "id_bytes", "packed", "single", at_most=0.6),
    Goal("known", "records/s: many known ids and players / an empty database", "rate", "known", "empty", at_least=0.7),
)


def goals_of(bench: str) -> list[Goal]:
    return [goal for goal in GOALS if goal.bench == bench]
