"""`GET /v1/limits`: public, so that a client can cut its batches to size. `?app=` gives that app's."""

from schemas.errors.table import Refusal
from schemas.games.judging import matches_id
from schemas.settings import Limits
from schemas.wire.malformed import Violation
from serving.http.replies import json_reply
from serving.http.reply import Reply
from serving.http.request import Request
from serving.refused import Refused


class LimitsOfApp:
    """The endpoint. An app without own limits has the general ones, whether the app exists or not."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def __call__(self, request: Request) -> Reply:
        app = request.target.query.get("app")
        if app is not None and not matches_id(app):
            violation = Violation(field="app", description="Must be 1 to 64 letters, digits, _ or -")
            raise Refused(Refusal.MALFORMED, (violation,))
        return limits_reply(self._limits.for_app(app or ""))


def limits_reply(limits: Limits) -> Reply:
    """One set of limits, flat. It does not reveal which other apps exist."""
    return json_reply(200, limits.model_dump(mode="json", include=set(Limits.model_fields)))
