"""Examples of the documents: true to the models, which a test holds."""

from typing import Any

from schemas.settings import Limits

Example = dict[str, Any]

# The page at /docs sends another id in place of these, so that each execution counts (serving/docs_page/page.py).
EXAMPLE_IDS = ("7000000000000000007", "7000000000000000008")

_START, _END = "1789999940000", "1789999999000"
RECEIPT = f"r1.3.1234.1790000000000.{'0123456789abcdef' * 4}"

GOOD_BATCH: Example = {
    "requestId": "7",
    "currentTimeMillis": "1790000000000",
    "timePeriods": [
        {
            "timePeriod": {"periodStartMillis": _START, "periodEndMillis": _END},
            "updates": [{"definitionId": "LEVEL_UP", "updateCount": "3"}],
        }
    ],
}

# The document's own, made valid JSON.
DOCUMENTED_POOL: Example = {
    "Token": "",
    "mediaInfo": "",
    "eventData": [
        {
            "Timestamp": "4315435114",
            "Event": "Navigation",
            "Data": [
                {"ChannelListed": "channel_name1", "ProductId": "123"},
                {"PageViewed": "page_name1", "ProductId": "123"},
                {"ButtonClicked": "button_name1", "ProductId": "123"},
                {"ButtonClicked": "button_name2", "ProductId": "123"},
                {"PageViewed": "page_name2", "ProductId": "456"},
            ],
        }
    ],
}
POOLS: dict[str, Example] = {
    "documented": DOCUMENTED_POOL,
    "twoEvents": {
        "eventData": [
            {"Timestamp": 1790000000, "Event": "DetailsNavigation", "Data": {"ProductId": "123"}},
            {"Timestamp": "2026-09-21T14:13:21Z", "Event": "RentProcess"},
        ],
    },
}
SEALED_POOL: Example = {"requestId": "pool-7", **POOLS["twoEvents"]}
EVENTS: dict[str, Example] = {
    "one": {"Token": "", "eventData": {"Timestamp": "1790000000000", "Event": "Navigation", "Data": {"Page": "home"}}},
}


def _analytics(severity: int, message: str) -> Example:
    return {"StatusCode": 0, "Severity": severity, "StatusMessage": message, "Content": True}


ANALYTICS_REPLIES: dict[str, Example] = {
    "registered": _analytics(1, "OK"),
    "registeredInPart": _analytics(
        2, "2 of 3 events registered, 1 refused: eventData[1].Timestamp: must lie after 1970"
    ),
}
SESSION_REQUESTS: dict[str, Example] = {"demo": {"app": "demo"}}
SESSIONS: dict[str, Example] = {
    "anonymous": {
        "token": "eyJhbGciOiJFUzI1NiJ9.e30.c2ln",
        "actor": f"~{'0123456789abcdef' * 2}",
        "expiresIn": 2592000,
    },
}

BATCHES: dict[str, Example] = {
    "oneEvent": {**GOOD_BATCH, "requestId": EXAMPLE_IDS[0]},
    "wrongInParts": {
        "requestId": EXAMPLE_IDS[1],
        "timePeriods": [
            {
                "timePeriod": {"periodStartMillis": _END, "periodEndMillis": _END},
                "updates": [{"definitionId": "LEVEL_UP", "updateCount": "1"}],
            },
            {
                "timePeriod": {"periodStartMillis": _START, "periodEndMillis": _END},
                "updates": [{"definitionId": "NOBODY_KNOWS", "updateCount": "1"}],
            },
        ],
    },
}

_PLAYER_EVENT = {
    "kind": "games#playerEvent",
    "playerId": "ann",
    "definitionId": "LEVEL_UP",
    "numEvents": "1234",
    "formattedNumEvents": "1,234",
}


def _failure(cause: str, **millis: str) -> Example:
    return {
        "kind": "games#eventBatchRecordFailure",
        "range": {"kind": "games#eventPeriodRange", **millis},
        "failureCause": cause,
    }


def _update_response(**parts: list[Example]) -> Example:
    empty: Example = {"batchFailures": [], "eventFailures": [], "playerEvents": []}
    return {"kind": "games#eventUpdateResponse", **empty, **parts}


UPDATE_RESPONSES = {
    "counted": _update_response(playerEvents=[_PLAYER_EVENT]),
    "countedBefore": _update_response(batchFailures=[_failure("ALREADY_UPDATED")], playerEvents=[_PLAYER_EVENT]),
    "wrongInParts": _update_response(
        batchFailures=[_failure("TIME_PERIOD_SHORT", periodStartMillis=_END, periodEndMillis=_END)],
        eventFailures=[
            {"kind": "games#eventRecordFailure", "eventId": "NOBODY_KNOWS", "failureCause": "NOT_FOUND"},
        ],
    ),
    "tooFast": _update_response(batchFailures=[_failure("RECORD_RATE_HIGH")]),
}

RECEIPTS: dict[str, Example] = {
    "applied": {"receipt": RECEIPT, "state": "applied", "cause": None},
    "duplicate": {"receipt": RECEIPT, "state": "duplicate", "cause": "ALREADY_UPDATED"},
}

REQUESTS: dict[str, Example] = {
    "counted": {"requestId": "7", "state": "applied", "at": "2026-09-21T14:13:20.000Z"},
}

LIMITS: dict[str, Example] = {"defaults": Limits().model_dump(mode="json")}

DRY_RUNS: dict[str, Example] = {
    "good": {
        "valid": True,
        "violations": [],
        "batchFailures": [],
        "eventFailures": [],
        "accepted": [{"definitionId": "LEVEL_UP", "updateCount": "1"}],
        "shiftMillis": "0",
    },
    "noBatch": {
        "valid": False,
        "violations": [{"field": "requestId", "description": "Field required"}],
        "batchFailures": [],
        "eventFailures": [],
        "accepted": [],
        "shiftMillis": "0",
    },
}

REFUSALS: dict[str, Example] = {
    "one": {
        "refusals": [
            {
                "id": "6a1f0c9b2f4e4d5a9c8b7a60",
                "at": "2026-09-21T14:13:20.000Z",
                "player": "ann",
                "requestId": "8",
                "cause": "NOT_FOUND",
                "field": "timePeriods[0].updates[0].definitionId",
                "firstBytes": "NOBODY_KNOWS",
            }
        ],
    },
}

PLAYER_EVENTS: dict[str, Example] = {
    "lastPage": {"kind": "games#playerEventListResponse", "items": [_PLAYER_EVENT]},
}

DEFINITIONS: dict[str, Example] = {
    "lastPage": {
        "kind": "games#eventDefinitionListResponse",
        "items": [
            {
                "kind": "games#eventDefinition",
                "id": "LEVEL_UP",
                "displayName": "Level up",
                "description": "",
                "imageUrl": "http://127.0.0.1:8080/static/default-event.png",
                "isDefaultImageUrl": True,
                "visibility": "REVEALED",
                "childEvents": [{"kind": "games#eventChild", "childId": "BOSS_DEFEATED"}],
            }
        ],
    },
}
