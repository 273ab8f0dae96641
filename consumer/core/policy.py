"""How long a worker waits after a failure, when it may fetch, how far it is behind. Numbers in, numbers out."""

# The first try again follows at once-ish: most failures are a lost race, gone with the next read.
FIRST_BACKOFF_SECONDS = 0.05


def backoff_seconds(failures: int, max_seconds: float) -> float:
    """Pause before the next try, after so many failures in a row: doubles, up to `max_seconds`."""
    return min(max_seconds, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 16))


def may_fetch(buffered_bytes: int, max_buffer_bytes: int) -> bool:
    """Whether there is room for another fetch. The bound holds to one fetch: its size is known only when it is read."""
    return buffered_bytes < max_buffer_bytes


def lag_records(end_offset: int | None, next_offset: int) -> int:
    """Records of a partition not yet applied. Never negative: the end may have been read before the checkpoint."""
    return 0 if end_offset is None else max(0, end_offset - next_offset)


def lag_seconds(lag: int, oldest_waiting_millis: int | None, now_millis: int) -> float:
    """Age of the oldest record not yet applied; 0 when nothing waits."""
    if not lag or oldest_waiting_millis is None:
        return 0.0
    return max(0, now_millis - oldest_waiting_millis) / 1000
