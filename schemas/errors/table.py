"""The table of errors: one row of `Refusal` each.

The replies of ingress, console and worker, the error responses of the OpenAPI documents, and docs/errors.md are made
from it. Tests compare docs/rules.md ("Answers") and the tables of docs/clients.md with it. To add an error, add a row
and run `python -m schemas.openapi.export` and `python -m ops.reference`.
"""

from enum import Enum, unique

from schemas.analytics.stored import MAX_STORED_BYTES
from schemas.canary import CANARY_SCOPE
from schemas.errors.row import CLOSE, RETRY, RETRY_COMPUTED, Analytics, By, Kind, Row, StatusCode, challenge, lacks
from schemas.games.scopes import GAMES_SCOPE
from schemas.wire.console_replies import OPERATE_SCOPE, READ_SCOPE
from schemas.wire.depth import MAX_VALUES
from schemas.wire.refusals import REFUSALS_SCOPE


@unique
class Refusal(Enum):
    """Why a request is refused."""

    # Refused by the HTTP parser: there is no request yet.
    BAD_HTTP = Row(
        Kind.MALFORMED,
        "The request is not valid HTTP/1.1. Correct the client, or the proxy in front of it.",
        By.ALL,
        "bad_http",
        headers=(CLOSE,),
        analytics=Analytics(StatusCode.NOT_READABLE, "analytics_malformed"),
    )
    HEAD_LATE = Row(
        Kind.REQUEST_LATE,
        "The head of the request did not arrive in time. Send the same request again.",
        By.ALL,
        "head_late",
        headers=(CLOSE,),
        analytics=Analytics(StatusCode.AGAIN, "analytics_body_late"),
    )
    HEAD_LARGE = Row(
        Kind.HEAD_LARGE,
        "The head of the request is larger than 64 KiB, or has more than 100 headers. Send fewer or shorter headers.",
        By.ALL,
        "head_large",
        headers=(CLOSE,),
        analytics=Analytics(StatusCode.TOO_LARGE, "analytics_head_large"),
    )
    FULL = Row(
        Kind.UNAVAILABLE,
        "All connections of the server are in use. Send the same request again.",
        By.ALL,
        "full",
        headers=(CLOSE, RETRY),
        analytics=Analytics(StatusCode.AGAIN, "analytics_full"),
    )
    HTTP_VERSION = Row(
        Kind.HTTP_VERSION,
        "This version of HTTP is not supported. Use HTTP/1.1 or HTTP/1.0.",
        By.ALL,
        "bad_http",
        headers=(CLOSE,),
        analytics=Analytics(StatusCode.NOT_READABLE, "analytics_malformed"),
    )

    MALFORMED = Row(
        Kind.MALFORMED,
        "The request is not valid. Correct the fields that details names.",
        By.INGRESS | By.CONSOLE,
        "malformed",
        analytics=Analytics(StatusCode.WRONG_FIELD, "analytics_malformed", "The request is not valid."),
    )
    BAD_QUERY = Row(
        Kind.MALFORMED, "The query is not valid. Correct the parameters that details names.", By.CONSOLE, "Q1"
    )
    NO_TOKEN = Row(
        Kind.UNAUTHENTICATED,
        "The token is missing. Send a bearer token in the Authorization header.",
        By.INGRESS | By.CONSOLE,
        "unauthenticated",
        headers=(challenge(),),
        analytics=Analytics(
            StatusCode.UNAUTHENTICATED,
            "analytics_unauthenticated",
            "Token: is missing. Send it in the body, or as a bearer token in the Authorization header.",
        ),
    )
    UNAUTHENTICATED = Row(
        Kind.UNAUTHENTICATED,
        "The token is not valid, or has expired. Get a new token.",
        By.INGRESS | By.CONSOLE,
        "unauthenticated",
        headers=(challenge("invalid_token"),),
        analytics=Analytics(
            StatusCode.UNAUTHENTICATED,
            "analytics_unauthenticated",
            "Token: is not valid, or has expired. Get a new token.",
        ),
    )
    ANONYMOUS = Row(
        Kind.FORBIDDEN,
        "The token is anonymous. Use the token of a player.",
        By.INGRESS,
        "forbidden",
        headers=(challenge("insufficient_scope"),),
    )
    FORBIDDEN = Row(
        Kind.FORBIDDEN,
        f"The token lacks the scope {GAMES_SCOPE} or games_lite. Get a token with one of them.",
        By.INGRESS,
        "forbidden",
        headers=(challenge("insufficient_scope", GAMES_SCOPE),),
    )
    RESERVED_APP = Row(
        Kind.FORBIDDEN,
        f"The app is reserved for `tallymill canary`. Its tokens need the scope {CANARY_SCOPE}.",
        By.INGRESS,
        "forbidden",
        headers=(challenge("insufficient_scope", CANARY_SCOPE),),
        analytics=Analytics(StatusCode.FORBIDDEN, "analytics_forbidden"),
    )
    FORBIDDEN_REFUSALS = lacks(REFUSALS_SCOPE, By.INGRESS | By.CONSOLE, "forbidden")
    FORBIDDEN_LIST = lacks(GAMES_SCOPE, By.INGRESS, "forbidden")
    FORBIDDEN_READ = lacks(READ_SCOPE, By.CONSOLE, "Q1")
    FORBIDDEN_OPERATE = lacks(OPERATE_SCOPE, By.CONSOLE, "Q1")
    NOT_THE_PAGE = Row(
        Kind.FORBIDDEN,
        "The request does not come from the console's own page, or the page is out of date. Reload the page.",
        By.CONSOLE,
        "Q1",
    )
    LINK_USED = Row(
        Kind.FORBIDDEN,
        "The link was used before, or is older than ten minutes. Make another with tallymill link.",
        By.CONSOLE,
        "Q1",
    )
    NO_REDRIVE = Row(
        Kind.FORBIDDEN, "Nothing was redriven. Set kafka.bootstrap_servers of the console.", By.CONSOLE, "Q1"
    )
    OTHER_APP = Row(
        Kind.FORBIDDEN,
        "The token is for another app. Leave the parameter app out, or use a token of that app.",
        By.CONSOLE,
        "Q1",
    )
    NO_ANONYMOUS = Row(
        Kind.FORBIDDEN,
        "Token: is anonymous, and the app does not accept anonymous tokens. Use the token of a player.",
        headers=(challenge("insufficient_scope"),),
        analytics=Analytics(StatusCode.FORBIDDEN, "analytics_forbidden"),
    )
    NO_SESSIONS = Row(
        Kind.FORBIDDEN,
        "The app has no anonymous sessions. Check the name of the app, and tokens.session_apps in the settings.",
        By.INGRESS,
        "forbidden",
    )
    NOT_FOUND = Row(
        Kind.NOT_FOUND,
        "Nothing is served at this path. Check the URL.",
        By.ALL,
        "unknown_path",
        analytics=Analytics(StatusCode.NOT_FOUND, "analytics_wrong_method"),
    )
    NOT_A_RECEIPT = Row(
        Kind.NOT_FOUND,
        "The receipt is not valid. Send the value of the Tallymill-Receipt header unchanged.",
        By.INGRESS | By.CONSOLE,
        "unknown_receipt",
    )
    NOT_SEEN = Row(
        Kind.NOT_FOUND,
        "No request of this player has counted under this requestId, or it is no longer remembered. Check the id.",
        By.INGRESS | By.CONSOLE,
        "unknown_receipt",
    )
    NO_PLAYER = Row(Kind.NOT_FOUND, "Nothing was counted for this player of this app. Check the id.", By.CONSOLE, "Q1")
    METHOD = Row(
        Kind.WRONG_METHOD,
        "This path does not accept this method. Use a method of the Allow header.",
        By.ALL,
        "wrong_method",
        headers=(("allow", None),),
        analytics=Analytics(StatusCode.NOT_FOUND, "analytics_wrong_method", "This path accepts only POST."),
    )
    BODY_LATE = Row(
        Kind.REQUEST_LATE,
        "The request body did not arrive in time. Send the same request again.",
        By.INGRESS | By.CONSOLE,
        "body_late",
        headers=(CLOSE,),
        analytics=Analytics(StatusCode.AGAIN, "analytics_body_late"),
    )
    RECEIPT_GONE = Row(
        Kind.GONE,
        "The state of this batch is no longer known. Within dedupe_window_seconds it is safe to send the batch again "
        "with the same requestId.",
        By.INGRESS | By.CONSOLE,
        "gone",
    )
    # CLOSE, because the client is still sending: to keep the connection, the server would have to read the whole body.
    BODY_LARGE = Row(
        Kind.TOO_LARGE,
        "The request body is larger than allowed. Split the batch. GET /v1/limits returns the limit.",
        By.INGRESS,
        "body_large",
        headers=(CLOSE,),
        analytics=Analytics(
            StatusCode.TOO_LARGE,
            "analytics_body_large",
            "The request body is larger than allowed. Split the pool. GET /v1/limits returns the limit.",
        ),
    )
    TOO_MANY_ITEMS = Row(
        Kind.TOO_LARGE,
        "eventData: has more events than one request may have. Split the pool. GET /v1/limits returns the limit.",
        analytics=Analytics(StatusCode.TOO_LARGE, "analytics_too_many"),
    )
    TOO_MANY_VALUES = Row(
        Kind.TOO_LARGE,
        f"The body has more than {MAX_VALUES} JSON values. Split the pool.",
        analytics=Analytics(StatusCode.TOO_LARGE, "analytics_too_many"),
    )
    TOO_MUCH_TO_STORE = Row(
        Kind.TOO_LARGE,
        f"eventData: takes more than {MAX_STORED_BYTES >> 20} MiB to store, with mediaInfo in every event. Split the "
        "pool.",
        analytics=Analytics(StatusCode.TOO_LARGE, "analytics_too_many"),
    )
    MEDIA_TYPE = Row(
        Kind.MEDIA_TYPE,
        "The Content-Type is not supported. Send JSON in UTF-8.",
        By.INGRESS | By.CONSOLE,
        "media_type",
        analytics=Analytics(
            StatusCode.NOT_READABLE,
            "analytics_media_type",
            "The Content-Type is not supported. Send JSON or a form, in UTF-8.",
        ),
    )
    NOT_A_FORM = Row(
        Kind.MEDIA_TYPE,
        "The Content-Type is not supported. Send a query in the body as a form, in UTF-8.",
        By.INGRESS,
        "media_type",
        analytics=Analytics(StatusCode.NOT_READABLE, "analytics_media_type"),
    )
    ENCODING = Row(
        Kind.MEDIA_TYPE,
        "The Content-Encoding is not supported. Use an encoding of the Accept-Encoding header.",
        By.INGRESS,
        "media_type",
        headers=(("accept-encoding", "gzip, deflate, zstd"),),
        analytics=Analytics(StatusCode.NOT_READABLE, "analytics_media_type"),
    )
    PAYLOAD_DIFFERS = Row(
        Kind.PAYLOAD_DIFFERS,
        "requestId: was used before with other events. Send these events with another id.",
        headers=(("tallymill-receipt", None),),
        analytics=Analytics(StatusCode.WRONG_FIELD, "analytics_payload_differs"),
    )
    ADDRESS_RATE_HIGH = Row(
        Kind.TOO_FAST,
        "Too many requests came from this address. Wait Retry-After seconds, then send the same request again.",
        By.INGRESS,
        "address_rate",
        headers=(RETRY_COMPUTED,),
        analytics=Analytics(StatusCode.TOO_FAST, "analytics_address_rate"),
    )
    ACTOR_RATE_HIGH = Row(
        Kind.TOO_FAST,
        "The sender is too fast, or the workers are far behind. Wait Retry-After seconds, then send the same request "
        "again.",
        headers=(RETRY_COMPUTED,),
        analytics=Analytics(StatusCode.TOO_FAST, "analytics_too_fast"),
    )
    INTERNAL = Row(
        Kind.INTERNAL,
        "An internal error occurred. Send the same request again.",
        By.INGRESS | By.CONSOLE,
        "bug",
        analytics=Analytics(StatusCode.INTERNAL, "analytics_bug"),
    )
    SET_ASIDE = Row(
        Kind.INTERNAL,
        "The batch was stored, but could not be counted. Report its Tallymill-Receipt to the operator.",
        By.INGRESS,
        "bug",
        analytics=Analytics(
            StatusCode.INTERNAL,
            "analytics_bug",
            "The events were stored, but could not be registered. Report the Tallymill-Receipt to the operator.",
        ),
    )
    TOKEN_UNCHECKED = Row(
        Kind.UNAVAILABLE,
        "The token cannot be checked now. Nothing was done. Send the same request again.",
        By.INGRESS | By.CONSOLE,
        "unavailable",
        headers=(RETRY,),
        analytics=Analytics(StatusCode.AGAIN, "analytics_unavailable"),
    )
    BUSY = Row(
        Kind.UNAVAILABLE,
        "Too many request bodies are in progress. Nothing was done. Send the same request again.",
        By.INGRESS,
        "busy",
        headers=(RETRY, CLOSE),
        analytics=Analytics(StatusCode.AGAIN, "analytics_busy"),
    )
    QUERIES_BUSY = Row(
        Kind.UNAVAILABLE,
        "Too many queries are in progress. Send the same query again.",
        By.CONSOLE,
        "Q1",
        headers=(RETRY,),
    )
    AWAY = Row(
        Kind.UNAVAILABLE,
        "MongoDB is unavailable. Send the same request again.",
        By.INGRESS | By.CONSOLE,
        "unavailable",
        headers=(RETRY,),
    )
    UNAVAILABLE = Row(
        Kind.UNAVAILABLE,
        "Delivery not confirmed. Send it again with the same requestId.",
        By.INGRESS,
        "unavailable",
        headers=(RETRY,),
        analytics=Analytics(
            StatusCode.AGAIN, "analytics_unavailable", "Delivery not confirmed. Send the same request again, unchanged."
        ),
    )
    KAFKA_AWAY = Row(
        Kind.UNAVAILABLE,
        "Kafka is unavailable. Nothing was done. Send the same request again.",
        By.CONSOLE,
        "Q1",
        headers=(RETRY,),
    )
    QUERY_SLOW = Row(
        Kind.QUERY_SLOW, "The query took too long. Ask for a shorter range, or for one event.", By.CONSOLE, "Q1"
    )
