"""The replies to refused requests (schemas/errors/table.py): Google's error body, as in the ingress. Pure."""

import json
from collections.abc import Mapping, Sequence

from starlette.responses import Response

from schemas.errors.table import Refusal as Refusal  # noqa: PLC0414 imported from here with Refused
from schemas.wire.errors import error_body
from schemas.wire.malformed import Violation

_JSON = "application/json; charset=utf-8"


class Refused(Exception):
    """Carries the refusal of a request to where the reply is made."""

    def __init__(self, refusal: Refusal, violations: Sequence[Violation] = ()) -> None:
        self.refusal = refusal
        self.violations = tuple(violations)
        super().__init__(refusal.name)


def refusal_reply(
    refusal: Refusal, violations: Sequence[Violation] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """Google's error body; `details` only where parameters are at fault."""
    body = error_body(refusal.value, violations)
    return json_reply(body, refusal.value.code, {**dict(refusal.value.fixed_headers), **(headers or {})})


def json_reply(value: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(value, allow_nan=False), status, headers, media_type=_JSON)
