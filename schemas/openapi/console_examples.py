"""Examples of the console's OpenAPI document. Tests hold each to its schema."""

from schemas.openapi.examples import Example

COUNTS: dict[str, Example] = {
    "lastPage": {
        "app": "demo",
        "source": "games",
        "step": "day",
        "rows": [{"at": "2026-11-23T00:00:00.000Z", "event": "LEVEL_UP", "count": 3}],
        "asOf": "2026-11-24T09:00:00.000Z",
    },
}

FOUND_EVENTS: dict[str, Example] = {
    "lastPage": {
        "app": "demo",
        "events": [
            {
                "id": "demo/ann/6a1f0c9b2f4e4d5a9c8b7a606a1f0c9b",
                "app": "demo",
                "actor": "ann",
                "anonymous": False,
                "at": "2026-11-23T13:07:00.000Z",
                "event": "DetailsNavigation",
                "data": {"ProductId": "123"},
                "receivedAt": "2026-11-23T13:07:02.250Z",
                "from": "r1/00/7",
            }
        ],
    },
}
