"""Examples of the console's OpenAPI document. Tests hold each to its schema."""

from schemas.openapi.examples import RECEIPT, Example

COUNTS: dict[str, Example] = {
    "lastPage": {
        "basis": "counted",
        "app": "demo",
        "source": "games",
        "step": "day",
        "rows": [{"at": "2026-11-23T00:00:00.000Z", "event": "LEVEL_UP", "count": 3}],
        "asOf": "2026-11-24T09:00:00.000Z",
    },
}

FOUND_EVENTS: dict[str, Example] = {
    "lastPage": {
        "basis": "counted",
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

APPS: dict[str, Example] = {
    "lastPage": {"basis": "counted", "apps": [{"app": "demo", "definitions": 3, "counted": ["games", "analytics"]}]},
}

DEFINITIONS: dict[str, Example] = {
    "lastPage": {
        "app": "demo",
        "definitions": [
            {
                "definitionId": "LEVEL_UP",
                "defaultLanguage": "en",
                "names": {"en": "Level up"},
                "descriptions": {},
                "imageUrl": None,
                "visibility": "REVEALED",
                "children": [],
                "format": "grouped",
                "declaredAt": "2026-11-01T09:00:00.000Z",
                "retiredAt": None,
                "updatedAt": "2026-11-01T09:00:00.000Z",
            }
        ],
    },
}

REFUSALS: dict[str, Example] = {
    "lastPage": {
        "basis": "refused",
        "app": "demo",
        "refusals": [
            {
                "id": "6a1f0c9b2f4e4d5a9c8b7a60",
                "at": "2026-11-23T13:07:02.250Z",
                "app": "demo",
                "player": "ann",
                "requestId": "8",
                "cause": "NOT_FOUND",
                "field": "timePeriods[0].updates[0].definitionId",
                "firstBytes": "NOBODY_KNOWS",
            }
        ],
        "causes": [{"cause": "NOT_FOUND", "samples": 1}],
    },
}

DEAD_LETTERS: dict[str, Example] = {
    "lastPage": {
        "basis": "accepted",
        "app": "demo",
        "deadLetters": [
            {
                "id": "r1/03/1234",
                "topic": "tallymill.records",
                "lineage": "r1",
                "partition": 3,
                "offset": 1234,
                "app": "demo",
                "player": "ann",
                "cause": "not readable",
                "reason": "not readable",
                "at": "2026-11-23T13:07:02.250Z",
                "bytes": 211,
                "cut": False,
                "redriven": None,
            }
        ],
    },
}

PLAYERS: dict[str, Example] = {
    "lastPage": {
        "basis": "counted",
        "app": "demo",
        "player": "ann",
        "totals": {"LEVEL_UP": 41},
        "updatedAt": "2026-11-23T13:07:02.250Z",
        "hasEvents": False,
    },
}

REQUESTS: dict[str, Example] = {
    "counted": {
        "basis": "counted",
        "app": "demo",
        "player": "ann",
        "source": "games",
        "requestId": "7",
        "state": "applied",
        "at": "2026-09-21T14:13:20.000Z",
        "lineage": "r1",
        "partition": 3,
        "offset": 1234,
    },
}

RECEIPTS: dict[str, Example] = {
    "counted": {
        "basis": "accepted",
        "receipt": RECEIPT,
        "topic": "tallymill.records",
        "lineage": "r1",
        "partition": 3,
        "offset": 1234,
        "issuedAt": "2026-09-21T14:13:20.000Z",
        "appendedAt": None,
        "counted": True,
        "state": "applied",
        "cause": None,
    },
}
