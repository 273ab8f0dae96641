"""The routes of the console's lists and look-ups, and the parameters that all its routes share."""

from pydantic import BaseModel

from schemas.documents import ID_SCHEMA_PATTERN
from schemas.errors.row import Kind
from schemas.openapi import console_examples as examples
from schemas.openapi.examples import RECEIPT, Example
from schemas.openapi.route import BY_TOKEN, Access, Answer, Input, Operation, Parameter, Route
from schemas.wire.console_lists import (
    AppsReply,
    CountedReceiptReply,
    CountedRequestReply,
    DeadLettersReply,
    DefinitionsReply,
    PlayerReply,
    RefusalsReply,
)
from schemas.wire.console_replies import READ_SCOPE
from schemas.wire.refusals import REFUSALS_SCOPE

APP = Parameter(
    name="app",
    place="query",
    description="The app of the token. Any other needs the scope tallymill.operate, else it is 403.",
    schema={"type": "string", "pattern": ID_SCHEMA_PATTERN},
)
PAGE_TOKEN = Parameter(
    name="pageToken",
    place="query",
    description="`nextPageToken` of the previous page. The query must be the same; only `limit` may change.",
)


def limit(default: int, most: str = "`console.max_rows`") -> Parameter:
    """The parameter `limit`."""
    return Parameter(
        name="limit",
        place="query",
        description=f"The maximum number of rows of a page. Above {most} it is that.",
        schema={"type": "integer", "minimum": 1, "maximum": 2**31 - 1, "default": default},
    )


_CAUSE = "Only those with this cause."
_PLAYER_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": r"^[^/\x00-\x1f\x7f]+$"}


def _filter(name: str, description: str, *values: str) -> Parameter:
    schema = {"type": "string", "enum": list(values)} if values else {"type": "string"}
    return Parameter(name=name, place="query", description=description, schema=schema)


def _route(
    path: str,
    operation: Operation,
    parameters: tuple[Parameter, ...],
    model: type[BaseModel],
    example: dict[str, Example],
) -> Route:
    found = "{" in path
    scope = REFUSALS_SCOPE if path in ("/v1/refusals", "/v1/dead-letters") else READ_SCOPE
    gone = (Kind.GONE,) if path.startswith("/v1/receipts") else ()
    return Route(
        method="get",
        path=path,
        operation=operation,
        access=Access(scopes=(scope,)),
        input=Input(parameters=parameters, empty_is_absent=True),
        answers=(Answer(description="What was found." if found else "A page.", model=model, examples=example),),
        errors=(
            Kind.MALFORMED,
            *BY_TOKEN,
            *((Kind.NOT_FOUND, *gone) if found else ()),
            Kind.UNAVAILABLE,
            Kind.QUERY_SLOW,
        ),
    )


CONSOLE_LIST_ROUTES = (
    _route(
        "/v1/apps",
        Operation(
            operation_id="listApps",
            tag="lists",
            summary="The apps that have definitions or counts",
            description="All apps with the scope tallymill.operate, otherwise the app of the token.",
        ),
        (APP, limit(100, "100"), PAGE_TOKEN),
        AppsReply,
        examples.APPS,
    ),
    _route(
        "/v1/definitions",
        Operation(
            operation_id="listAppDefinitions", tag="lists", summary="The definitions of an app, retired ones too"
        ),
        (APP, limit(100, "500"), PAGE_TOKEN),
        DefinitionsReply,
        examples.DEFINITIONS,
    ),
    _route(
        "/v1/refusals",
        Operation(
            operation_id="listRefusals",
            tag="lists",
            summary="Why events were refused: a sample, newest first",
            description="What is here was neither accepted nor counted. It shows what players sent, so it needs a "
            "scope of its own.",
        ),
        (APP, _filter("cause", _CAUSE), _filter("player", "Only those of this player."), limit(100, "500"), PAGE_TOKEN),
        RefusalsReply,
        examples.REFUSALS,
    ),
    _route(
        "/v1/dead-letters",
        Operation(
            operation_id="listDeadLetters",
            tag="lists",
            summary="Records that could not be read or stored, newest first",
            description="What is here was accepted, and not counted.",
        ),
        (
            APP,
            _filter("cause", _CAUSE),
            _filter(
                "redriven", "`true`: only those that were produced again. `false`: only the others.", "true", "false"
            ),
            limit(100, "500"),
            PAGE_TOKEN,
        ),
        DeadLettersReply,
        examples.DEAD_LETTERS,
    ),
    _route(
        "/v1/players/{player}",
        Operation(
            operation_id="getPlayer",
            tag="find",
            summary="The totals of one player",
            description="404 if nothing was counted or registered for the player.",
        ),
        (
            Parameter(
                name="player",
                place="path",
                description="The player, percent-encoded. An anonymous session begins with `~`.",
                schema=_PLAYER_SCHEMA,
                example="ann",
            ),
            APP,
            limit(1_000),
            PAGE_TOKEN,
        ),
        PlayerReply,
        examples.PLAYERS,
    ),
    _route(
        "/v1/requests/{requestId}",
        Operation(
            operation_id="getCountedRequest",
            tag="find",
            summary="Whether a request of a player has counted, when, and where its record is",
            description="404 if the id never counted, or is no longer remembered.",
        ),
        (
            Parameter(
                name="requestId",
                place="path",
                description="The id that the client gave, percent-encoded. Of a batch it is an int64.",
                schema={"type": "string", "minLength": 1, "maxLength": 128, "pattern": r"^[^/\x00-\x1f\x7f]+$"},
                example="7",
            ),
            Parameter(
                name="player",
                place="query",
                description="The player: an id is unique only for one player.",
                schema=_PLAYER_SCHEMA,
                example="ann",
                required=True,
            ),
            Parameter(
                name="source",
                place="query",
                description="events.record, or AddEvent and AddEventBatch.",
                schema={"type": "string", "enum": ["games", "analytics"], "default": "games"},
            ),
            APP,
        ),
        CountedRequestReply,
        examples.REQUESTS,
    ),
    _route(
        "/v1/receipts/{receipt}",
        Operation(
            operation_id="getCountedReceipt",
            tag="find",
            summary="Where the record of a receipt is, and whether it was counted",
            description="The signature is not checked. What became of a record of another app is not shown.",
        ),
        (
            Parameter(
                name="receipt",
                place="path",
                description="`Tallymill-Receipt` of the answer of the ingress.",
                schema={
                    "type": "string",
                    "pattern": r"^[A-Za-z0-9_-]+\.[0-9]+\.[0-9]+\.[0-9]+(\.[0-9]+)?\.[0-9a-f]{64}$",
                },
                example=RECEIPT,
            ),
            APP,
        ),
        CountedReceiptReply,
        examples.RECEIPTS,
    ),
)
