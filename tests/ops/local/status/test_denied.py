"""Rights of Kafka that `status` lacks: what they would show is unknown, so it says so."""

from ops.local.status.balance import unknown
from ops.local.status.health import Health


def test_a_missing_right_is_a_problem_once() -> None:
    """Not again where another problem names it."""
    rights = [f"User:status lacks the right {right}" for right in ("Read on the topic t", "Describe on the group g")]
    found = Health([], unknown(f"Kafka: {rights[0]}"), denied=rights)
    assert [f"balance and lost records unknown: Kafka: {rights[0]}", f"Kafka: {rights[1]}"] == found.problems
    assert "not ready" == found.phase
