"""The error responses of the OpenAPI documents, made from the table of errors (schemas/errors/table.py).

A document has one response for each HTTP status. Its description lists the messages of all errors with this status.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from schemas.analytics.models import AnalyticsReply
from schemas.errors.row import By, Kind, Row
from schemas.errors.table import Refusal
from schemas.wire.errors import ErrorBody

# The table has the names in lower case, as HTTP/2 does. The document spells them as the RFCs do.
_HEADERS = {
    name.lower(): name for name in ("WWW-Authenticate", "Allow", "Accept-Encoding", "Retry-After", "Tallymill-Receipt")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorResponse:
    """One response. `constants`: what its body always contains. Errors have all headers `always`, some `sometimes`."""

    name: str
    kind: Kind
    description: str
    model: type[BaseModel]
    constants: Mapping[str, Any]
    always: tuple[str, ...]
    sometimes: tuple[str, ...]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.kind.value.status


def google_responses(by: By) -> tuple[ErrorResponse, ...]:
    """The responses with Google's error body that a server can answer."""
    rows = [refusal.value for refusal in Refusal if refusal.value.by & by]
    responses = []
    for kind, of_kind in _by_kind(rows).items():
        status, canonical, reason, _ = kind.value
        constants = {"error": {"code": status, "status": canonical, "errors": [{"reason": reason}]}}
        messages = [row.message for row in of_kind]
        responses.append(
            _response(kind, of_kind, name=_name(kind), messages=messages, model=ErrorBody, constants=constants)
        )
    return tuple(responses)


def analytics_responses() -> dict[str, ErrorResponse]:
    """The responses of AddEvent and AddEventBatch, by name. NOT_FOUND is not one: it means another path."""
    rows = [one.value for one in Refusal if one.value.analytics and one is not Refusal.NOT_FOUND]
    responses = {}
    for kind, of_kind in _by_kind(rows).items():
        name, answers = f"Analytics{_name(kind)}", [(row, row.analytics) for row in of_kind if row.analytics]
        codes = frozenset(int(analytics.code) for _, analytics in answers)
        constants = {"StatusCode": codes, "Severity": int(of_kind[0].severity), "Content": False}
        messages = [analytics.message or row.message for row, analytics in answers]
        responses[name] = _response(
            kind, of_kind, name=name, messages=messages, model=AnalyticsReply, constants=constants
        )
    return responses


def _by_kind(rows: Iterable[Row]) -> dict[Kind, list[Row]]:
    found: dict[Kind, list[Row]] = {}
    for row in rows:
        found.setdefault(row.kind, []).append(row)
    return found


def _name(kind: Kind) -> str:
    """`BODY_LARGE` -> `BodyLarge`."""
    return kind.name.title().replace("_", "")


def _response(
    kind: Kind,
    rows: list[Row],
    *,
    name: str,
    messages: list[str],
    model: type[BaseModel],
    constants: dict[str, Any],
) -> ErrorResponse:
    of_rows = [{_HEADERS[header] for header, _ in row.headers if header in _HEADERS} for row in rows]
    always = set.intersection(*of_rows)
    return ErrorResponse(
        name=name,
        kind=kind,
        description=messages[0] if len(messages) == 1 else "".join(f"- {message}\n" for message in messages),
        model=model,
        constants=constants,
        always=tuple(sorted(always)),
        sometimes=tuple(sorted(set.union(*of_rows) - always)),
    )
