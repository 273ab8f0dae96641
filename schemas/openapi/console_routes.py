"""The routes of the console as a table. Those of the ingress: schemas/openapi/routes.py."""

from typing import get_args

from schemas.errors.row import By, Kind
from schemas.openapi import console_examples as examples
from schemas.openapi.console_access_routes import ACCESS_ROUTES
from schemas.openapi.console_list_routes import APP, CONSOLE_LIST_ROUTES, PAGE_TOKEN, limit
from schemas.openapi.probes import PROBES
from schemas.openapi.route import BY_TOKEN, JSON, Access, Answer, Described, Input, Operation, Parameter, Route
from schemas.openapi.system_example import SYSTEM
from schemas.wire.console_replies import READ_SCOPE, CountsReply, EventsReply, Step
from schemas.wire.system_reply import SystemReply

_INTRODUCTION = """\
What was counted, registered, refused and set aside, for dashboards and the live page. The app is that of the \
token; a token with the scope tallymill.operate may name another one. Times are RFC 3339 in UTC. Counts are JSON \
numbers up to int64. A path that is not in this document is 404, with the same error body. There are no redirects. \
HEAD works wherever GET does.

An unknown or repeated parameter is 400. An empty parameter counts as absent."""

_TIME = r"^([0-9]{1,15}|\d{4}-\d\d-\d\d([Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d))?)$"


def _time(name: str, description: str, example: str | None = None) -> Parameter:
    """A time; required if it has an example."""
    text = f"{description} RFC 3339 with an offset (its `+` is `%2B`), a date in `tz`, or ms since 1970 UTC."
    schema = {"type": "string", "pattern": _TIME}
    return Parameter(
        name=name, place="query", description=text, schema=schema, example=example, required=example is not None
    )


EVENT = Parameter(name="event", place="query", description="One event (definitionId or title). If absent, all events.")
ZONE = Parameter(
    name="tz",
    place="query",
    description="A time zone by its IANA name, for dates in `from` and `to`, and for days, weeks and months.",
    schema={"type": "string", "default": "UTC"},
)
CONSOLE_ROUTES = (
    Route(
        method="get",
        path="/v1/counts",
        operation=Operation(
            operation_id="listCounts",
            tag="query",
            summary="What was counted, by minute, hour, day, week or month, or in all",
            description="Sums over all partitions. A count belongs to the minute in which its period starts, so "
            "adjacent ranges add up. Each row is on one page only. With `Accept: text/csv` the rows are CSV (RFC "
            "4180); an event that a spreadsheet would run as a formula begins with a `'` there.",
        ),
        access=Access(
            scopes=(READ_SCOPE,),
        ),
        input=Input(
            empty_is_absent=True,
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
                _time("from", "The start of the range.", "2026-11-23T00:00:00Z"),
                _time("to", "The end of the range, which is excluded.", "2026-11-24T00:00:00Z"),
                Parameter(
                    name="step",
                    place="query",
                    description="The length of time of a row.",
                    schema={"type": "string", "enum": list(get_args(Step)), "default": "hour"},
                ),
                ZONE,
                Parameter(
                    name="fill",
                    place="query",
                    description="`zero`: also the steps without a count, for each event that has one in the range.",
                    schema={"type": "string", "enum": ["zero"]},
                ),
                Parameter(
                    name="top",
                    place="query",
                    description="Only the rows of so many events, those with the largest totals in the range, and the "
                    "sum of all others as `(other)`. The answer is one page.",
                    schema={"type": "integer", "minimum": 1, "maximum": 100},
                ),
                limit(1_000),
                PAGE_TOKEN,
            ),
        ),
        answers=(
            Answer(
                description="A page. CSV has what JSON has beside the rows in the two headers.",
                model=CountsReply,
                examples=examples.COUNTS,
                also=("text/csv",),
                headers=("Tallymill-As-Of", "Tallymill-Next-Page-Token", "Vary"),
            ),
        ),
        errors=(Kind.MALFORMED, *BY_TOKEN, Kind.UNAVAILABLE, Kind.QUERY_SLOW),
    ),
    Route(
        method="get",
        path="/v1/events",
        operation=Operation(
            operation_id="listEvents",
            tag="query",
            summary="Events of one actor, or of a time, newest first",
            description="Needs `actor`, or both `from` and `to`, which refer to `receivedAt`. A walk through all "
            "pages returns every event that existed when it began exactly once.",
        ),
        access=Access(
            scopes=(READ_SCOPE,),
        ),
        input=Input(
            empty_is_absent=True,
            parameters=(
                APP,
                Parameter(
                    name="actor",
                    place="query",
                    description="A player. The actor of an anonymous session begins with `~`.",
                ),
                EVENT,
                _time("from", "The start of the range. Optional with `actor`."),
                _time("to", "The end of the range, which is excluded. Optional with `actor`."),
                ZONE,
                limit(100),
                PAGE_TOKEN,
            ),
        ),
        answers=(Answer(description="A page.", model=EventsReply, examples=examples.FOUND_EVENTS),),
        errors=(Kind.MALFORMED, *BY_TOKEN, Kind.UNAVAILABLE, Kind.QUERY_SLOW),
    ),
    *CONSOLE_LIST_ROUTES,
    *ACCESS_ROUTES,
    Route(
        method="get",
        path="/v1/system",
        operation=Operation(
            operation_id="getSystem",
            tag="system",
            summary="Whether all is well, and every number that shows it",
            description="The console reads it every two seconds, whoever asks, so that asking costs no server "
            "anything. Ask as often as that, with `If-None-Match`. `null` means not known.",
        ),
        access=Access(scopes=(READ_SCOPE,)),
        answers=(
            Answer(description="The snapshot.", model=SystemReply, cached=True, examples=SYSTEM),
            Answer(status=304, description="The snapshot is the one that the client has.", media_type="", cached=True),
        ),
        errors=(Kind.MALFORMED, *BY_TOKEN, Kind.UNAVAILABLE),
    ),
    *PROBES,
    Route(
        method="get",
        path="/openapi.json",
        operation=Operation(
            operation_id="getDocument",
            tag="service",
            summary="This document",
        ),
        answers=(
            Answer(description="OpenAPI 3.1.", media_type=JSON, schema={"type": "object", "required": ["openapi"]}),
        ),
    ),
    Route(
        method="get",
        path="/docs",
        operation=Operation(
            operation_id="getDocumentation",
            tag="service",
            summary="This document, as a page",
        ),
        answers=(Answer(description="HTML.", media_type="text/html"),),
    ),
)

CONSOLE = Described(
    by=By.CONSOLE,
    title="tallymill console",
    introduction=_INTRODUCTION,
    tags={
        "query": "Counts and events.",
        "lists": "Apps, definitions, refusals and dead letters.",
        "find": "One player, request or receipt.",
        "session": "Who has signed in to the page.",
        "dead letters": "Dead letters that are produced again.",
        "system": "The state of the whole system.",
        "service": "The service: health, metrics, this document. They need no token.",
    },
    bearer="A token that names the app and has the scope of the route, mostly tallymill.read. With tallymill.operate "
    "it may read all apps. It is read from this header, never from the query.",
    routes=CONSOLE_ROUTES,
    not_a_probe=(Kind.UNAVAILABLE,),
)
