"""The example of GET /v1/system. A test holds it to its schema."""

from schemas.openapi.examples import Example

SYSTEM: dict[str, Example] = {
    "degraded": {
        "asOf": "2026-11-23T00:01:00.000Z",
        "state": "degraded",
        "since": "2026-11-23T00:00:18.000Z",
        "reasons": ["games: partition 1 is stopped: the log was cut"],
        "topics": [
            {
                "api": "games",
                "topic": "tallymill.records",
                "accepted": 1000,
                "applied": 900,
                "duplicate": 30,
                "refused": 20,
                "dead": 1,
                "gaps": 4,
                "inFlight": 45,
                "difference": 0,
                "acceptedPerSecond": 120.5,
                "countedPerSecond": 118.0,
                "lagRecords": 45,
                "lagSeconds": 42.0,
                "visible": {"p50": 0.05, "p99": 0.25},
                "deadLettersOpen": 1,
                "partitions": [
                    {
                        "partition": 1,
                        "owner": "worker-2:71",
                        "lagRecords": 45,
                        "lagSeconds": 42.0,
                        "next": 455,
                        "end": 500,
                        "lastFlush": "2026-11-23T00:00:18.000Z",
                        "stopped": "the log was cut",
                        "headroomSeconds": 604758.0,
                    }
                ],
            }
        ],
        "refusedPerSecond": {"INVALID_UPDATE_VALUE": 1.5},
        "history": {
            "stepSeconds": 2,
            "at": ["2026-11-23T00:01:00.000Z"],
            "games": {"accepted": [120.5], "counted": [118.0], "lagSeconds": [42.0], "p50": [0.05], "p99": [0.25]},
        },
        "lastVerify": {"at": "2026-11-22T23:01:00.000Z", "ok": True, "detail": "1,200 records counted exactly once"},
        "lastDoctor": None,
    },
}
