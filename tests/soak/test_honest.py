"""The honest load's own figures: what was never answered is not left out of the latency."""

from ops.load.plan import Batch
from ops.load.pools import Pool
from ops.load.send import GIVE_UP_SECONDS, Delays, Outcomes
from tests.soak.honest import Load


def test_a_request_without_an_answer_counts_as_slow() -> None:
    """Two of a hundred: the p99 is theirs, of whichever API."""
    quick, lost = Outcomes[Pool](delays=Delays([0.01] * 100)), Outcomes[Batch](delays=Delays([0.01] * 98))
    assert 0.01 == Load(Outcomes[Batch](delays=Delays([0.01] * 100)), quick).p99_seconds()
    lost.unknown.update({number: Batch("ann", number, (), b"") for number in range(2)})
    assert GIVE_UP_SECONDS == Load(lost, quick).p99_seconds()
