"""The routes of the console as a table, as schemas/openapi/routes.py has the ingress's."""

from schemas.documents import ID_SCHEMA_PATTERN
from schemas.errors.row import By, Kind
from schemas.openapi import console_examples as examples
from schemas.openapi.probes import PROBES
from schemas.openapi.route import BY_TOKEN, JSON, Answer, Described, Parameter, Route
from schemas.wire.console_replies import READ_SCOPE, CountsReply, EventsReply

_INTRODUCTION = """\
What was counted and registered, for dashboards. The app is the token's. Times are RFC 3339 in UTC; counts are JSON \
numbers up to int64. A path that is not in this document is 404, with the same error body. Never a redirect. HEAD is \
answered where GET is.

A parameter that is not known, or is given twice, is 400; an empty one is an absent one."""

_TIME = r"^([0-9]{1,15}|\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d))$"


def _time(name: str, description: str, example: str, *, required: bool = False) -> Parameter:
    text = f"{description} RFC 3339 with an offset (its `+` is `%2B`), or ms since 1970 UTC."
    schema = {"type": "string", "pattern": _TIME}
    return Parameter(name=name, place="query", description=text, schema=schema, example=example, required=required)


APP = Parameter(
    name="app",
    place="query",
    description="The token's app, or 403. It may be left out.",
    schema={"type": "string", "pattern": ID_SCHEMA_PATTERN},
    example="demo",
)
EVENT = Parameter(
    name="event", place="query", description="One event (definitionId, title); all if absent.", example=""
)
PAGE_TOKEN = Parameter(
    name="pageToken",
    place="query",
    description="`nextPageToken` of the page before, with the same query but for `limit`.",
    example="",
)


def _limit(default: int) -> Parameter:
    return Parameter(
        name="limit",
        place="query",
        description="Most rows of a page; more than `console.max_rows` is that.",
        schema={"type": "integer", "minimum": 1, "maximum": 2**31 - 1, "default": default},
        example=10,
    )


CONSOLE_ROUTES = (
    Route(
        method="get",
        path="/v1/counts",
        operation_id="listCounts",
        tag="query",
        summary="What was counted, by minute, hour or day",
        description="Sums over partitions. A count belongs to the minute its period starts in; ranges side by side add "
        "up. Pages hold each row once.",
        scopes=(READ_SCOPE,),
        parameters=(
            APP,
            Parameter(
                name="source",
                place="query",
                description="events.record, or AddEvent and AddEventBatch.",
                schema={"type": "string", "enum": ["games", "analytics"]},
                example="games",
                required=True,
            ),
            EVENT,
            _time("from", "The range's first moment.", "2026-11-23T00:00:00Z", required=True),
            _time("to", "Its end, which is not in it.", "2026-11-24T00:00:00Z", required=True),
            Parameter(
                name="step",
                place="query",
                description="What a row sums.",
                schema={"type": "string", "enum": ["minute", "hour", "day"], "default": "hour"},
                example="day",
            ),
            _limit(1_000),
            PAGE_TOKEN,
        ),
        answers=(Answer(description="A page.", model=CountsReply, examples=examples.COUNTS),),
        errors=(Kind.MALFORMED, *BY_TOKEN, Kind.UNAVAILABLE, Kind.QUERY_SLOW),
    ),
    Route(
        method="get",
        path="/v1/events",
        operation_id="listEvents",
        tag="query",
        summary="Events of one actor, or of a time, newest first",
        description="`actor`, or both `from` and `to`; these mean `receivedAt`. A walk through the pages meets every "
        "event that was there when it began exactly once.",
        scopes=(READ_SCOPE,),
        parameters=(
            APP,
            Parameter(
                name="actor",
                place="query",
                description="A player; an anonymous session's actor begins with `~`.",
                example="ann",
            ),
            EVENT,
            _time("from", "First moment; with `actor` it may be left out.", "2026-11-23T00:00:00Z"),
            _time("to", "End, not in it; with `actor` it may be left out.", "2026-11-24T00:00:00Z"),
            _limit(100),
            PAGE_TOKEN,
        ),
        answers=(Answer(description="A page.", model=EventsReply, examples=examples.FOUND_EVENTS),),
        errors=(Kind.MALFORMED, *BY_TOKEN, Kind.UNAVAILABLE, Kind.QUERY_SLOW),
    ),
    *PROBES,
    Route(
        method="get",
        path="/openapi.json",
        operation_id="getDocument",
        tag="service",
        summary="This document",
        answers=(
            Answer(description="OpenAPI 3.1.", media_type=JSON, schema={"type": "object", "required": ["openapi"]}),
        ),
    ),
)

CONSOLE = Described(
    by=By.CONSOLE,
    title="tallymill console",
    introduction=_INTRODUCTION,
    tags={
        "query": "Counts and events.",
        "service": "The service itself: health, metrics, this document. No token.",
    },
    bearer="A token that names the app, with the scope tallymill.read. In this header, never in the query.",
    routes=CONSOLE_ROUTES,
    not_a_probe=(Kind.UNAVAILABLE,),
)
