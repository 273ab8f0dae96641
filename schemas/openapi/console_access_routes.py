"""The routes of the console that its page needs: its session, and dead letters to redrive."""

from schemas.errors.row import Kind
from schemas.openapi.examples import Example
from schemas.openapi.route import BY_TOKEN, Access, Answer, Body, Input, Operation, Parameter, Route
from schemas.wire.console_access import LinkCode, RedriveReply, RedriveRequest, SessionReply, SignedOut
from schemas.wire.console_replies import OPERATE_SCOPE
from schemas.wire.refusals import REFUSALS_SCOPE

_SESSION: dict[str, Example] = {
    "nobody": {"signedIn": False, "signIn": ["oidc", "token"], "scopes": []},
    "signedIn": {
        "signedIn": True,
        "signIn": ["oidc", "token"],
        "subject": "ann",
        "app": "demo",
        "scopes": ["tallymill.operate", "tallymill.read"],
        "expiresAt": "2026-11-24T09:00:00Z",
        "way": "session",
        "csrfToken": "h3kQ0b0m0Zb1cW1m0l1y1A",
    },
}
_DRY_RUN: dict[str, Example] = {
    "dryRun": {
        "dryRun": True,
        "ids": ["r1/00/7"],
        "skipped": [],
        "confirm": "redrive 1",
        "redriven": 0,
        "problem": None,
    },
}
_BODY = (Kind.MALFORMED, Kind.REQUEST_LATE, Kind.MEDIA_TYPE)

_CSRF = Parameter(
    name="X-CSRF-Token",
    place="header",
    description="`csrfToken` of the session. Required with a session's cookie; a bearer token needs none.",
)

ACCESS_ROUTES = (
    Route(
        method="get",
        path="/v1/session",
        operation=Operation(
            operation_id="getSession",
            tag="session",
            summary="Who asks, and how one can sign in",
            description="By the session's cookie or by a bearer token. Without either it is no error.",
        ),
        access=Access(optional=True),
        answers=(Answer(description="Who asks.", model=SessionReply, examples=_SESSION),),
        errors=(*BY_TOKEN, Kind.UNAVAILABLE),
    ),
    Route(
        method="post",
        path="/v1/session",
        operation=Operation(
            operation_id="openLink",
            tag="session",
            summary="A session, in exchange for the code of a link",
            description="A code works once, for ten minutes. Only the console's own page can send it.",
        ),
        input=Input(
            body=Body(model=LinkCode, description="The code.", examples={"code": {"code": "demo.1790000000.x.y"}})
        ),
        answers=(Answer(description="Who has signed in.", model=SessionReply),),
        errors=(*_BODY, Kind.FORBIDDEN),
    ),
    Route(
        method="post",
        path="/logout",
        operation=Operation(operation_id="signOut", tag="session", summary="Ends the session of this browser"),
        input=Input(parameters=(_CSRF,)),
        answers=(Answer(description="It is over.", model=SignedOut),),
        errors=(Kind.FORBIDDEN,),
    ),
    Route(
        method="post",
        path="/v1/dead-letters/redrive",
        operation=Operation(
            operation_id="redriveDeadLetters",
            tag="dead letters",
            summary="Produces dead letters again, unchanged",
            description="None can count twice within the dedupe window. A dry run needs the scope "
            f"{REFUSALS_SCOPE}, anything else {OPERATE_SCOPE} too, and `confirm` as the dry run says it.",
        ),
        access=Access(scopes=(REFUSALS_SCOPE, OPERATE_SCOPE)),
        input=Input(
            parameters=(_CSRF,),
            body=Body(
                model=RedriveRequest,
                description="Which ones.",
                examples={"dryRun": {"ids": ["r1/00/7"]}, "done": {"cause": "not a batch", "dryRun": False}},
            ),
        ),
        answers=(Answer(description="What was done.", model=RedriveReply, examples=_DRY_RUN),),
        errors=(*_BODY, *BY_TOKEN, Kind.UNAVAILABLE, Kind.QUERY_SLOW),
    ),
)
