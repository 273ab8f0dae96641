"""What a Python team would pick: Quix Streams, with its state in RocksDB and its MongoDB sink.

Dedupes by requestId and sums each player's totals, both in the state; the sink writes the totals. At least once. It
writes no buckets by minute, which would need a second topic: it does less than a worker. Dedupe never forgets.

Runs in an environment of its own (bench/rivals/quix_streams.py), so it imports nothing of tallymill.
"""

import os
from typing import Any

PLAYERS = "players"

# As many as in a flush of a worker. By default it commits, and writes, every five seconds.
COMMIT_RECORDS = 2_000
COMMIT_SECONDS = 5.0


def count(body: dict[str, Any], state: Any) -> dict[str, int] | None:  # noqa: ANN401 a State of Quix Streams
    """The totals that a batch changes, by the field's name in the player's document. None for a repeat."""
    seen = f"request/{body['requestId']}"
    if state.exists(seen):
        return None
    state.set(seen, 1)
    totals: dict[str, int] = {}
    for period in body["timePeriods"]:
        for update in period["updates"]:
            field = f"totals.{update['definitionId']}"
            before = totals[field] if field in totals else state.get(field, 0)
            totals[field] = before + int(update["updateCount"])
    for field, total in totals.items():
        state.set(field, total)
    return totals


def main() -> None:
    # Here, so that the file can be imported where Quix Streams is not installed.
    from quixstreams import Application  # noqa: PLC0415
    from quixstreams.sinks.community.mongodb import MongoDBSink  # noqa: PLC0415

    app = Application(
        broker_address=os.environ["BENCH_KAFKA"],
        consumer_group=os.environ["BENCH_GROUP"],
        auto_offset_reset="earliest",
        commit_every=COMMIT_RECORDS,
        commit_interval=COMMIT_SECONDS,
        state_dir=os.environ["BENCH_STATE"],
        loglevel="WARNING",
    )
    topic = app.topic(os.environ["BENCH_TOPIC"], key_deserializer="str", value_deserializer="json")
    batches = app.dataframe(topic).apply(count, stateful=True).filter(lambda totals: totals is not None)
    # The sink puts `mongodb://` before the host, which may be the rest of an address.
    address = os.environ["BENCH_MONGODB"].removeprefix("mongodb://")
    batches.sink(MongoDBSink(address, os.environ["BENCH_DATABASE"], PLAYERS, w="majority", journal=True))
    app.run()


if __name__ == "__main__":
    main()
