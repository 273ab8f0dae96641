"""`--since`."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ops.errors import BadInput
from ops.local.logs.since import since_millis

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", NOW - timedelta(seconds=30)),
        ("10m", NOW - timedelta(minutes=10)),
        ("2h", NOW - timedelta(hours=2)),
        ("1d", NOW - timedelta(days=1)),
        ("1w", NOW - timedelta(days=7)),
        ("2026-11-28", datetime(2026, 11, 28, tzinfo=UTC)),
        ("2026-11-28T11:30", datetime(2026, 11, 28, 11, 30, tzinfo=UTC)),
        ("2026-11-28 11:30:00.500Z", datetime(2026, 11, 28, 11, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-11-28T13:30+02:00", datetime(2026, 11, 28, 13, 30, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_it_is_a_time_or_how_long_ago(text: str, expected: datetime) -> None:
    assert int(expected.timestamp() * 1000) == since_millis(text, NOW)


@pytest.mark.parametrize("text", ["", "10", "ten minutes", "-5m", "5y", "999999999d", "2026-13-01"])
def test_what_is_neither_is_named(text: str) -> None:
    with pytest.raises(BadInput, match="must be like 30s, 10m, 2h or 1d, or a time"):
        since_millis(text, NOW)
