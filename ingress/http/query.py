"""What a query asks for (G1, G2, B6): the parameters of the endpoint, and the layout of the reply. Pure.

- If a parameter is sent twice, the last one counts, as for a JSON key (B2). An empty `alt`, `fields` or `prettyPrint`
  counts as absent. The endpoint decides what other empty parameters mean.
- Endpoints don't see the parameters that all Google APIs have and that have no use here. So a token in the query is
  ignored (B6).
- Unknown parameters are ignored, but one that is not UTF-8 is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from ingress.http.field_mask import BadMask, Mask, parse_mask, selected
from serving.http.query import BadQuery, parameter_pairs
from serving.http.reply import JSON, Reply

# Real queries have about five.
MAX_PARAMETERS = 1_000

_LAYOUT: Final = frozenset(("alt", "fields", "prettyPrint"))
_IGNORED: Final = frozenset(
    ("access_token", "oauth_token", "key", "quotaUser", "callback", "$.xgafv", "upload_protocol", "uploadType")
)
_TRUE: Final = ("true", "1")


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of the endpoint, and the layout of the reply."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    indented: bool = False
    mask: Mask | None = None


PLAIN: Final = Query()


def parse_query(*texts: bytes) -> Query:
    """The query of a URL, perhaps continued by a form. Raises BadQuery."""
    # The hot path: nearly all requests have no query, or the one that Google's clients always send.
    if texts in ((b"",), (b"alt=json",)):
        return PLAIN
    given = dict(pair for text in texts for pair in parameter_pairs(text, MAX_PARAMETERS))
    if given.get("alt") not in (None, "", "json"):
        raise BadQuery(("alt", "Must be json: nothing else is served here"))
    return Query(
        parameters={name: value for name, value in given.items() if name not in _LAYOUT and name not in _IGNORED},
        indented=given.get("prettyPrint", "").lower() in _TRUE,
        mask=_mask(given.get("fields")),
    )


def written(reply: Reply, query: Query) -> Reply:
    """The reply in the layout that the query asks for. The mask applies only to success: errors stay whole."""
    if JSON not in reply.headers:
        return reply
    value = json.loads(reply.body)
    if query.mask and reply.status == HTTPStatus.OK:
        value = selected(value, query.mask)
    layout: dict[str, Any] = {"indent": 2} if query.indented else {"separators": (",", ":")}
    text = json.dumps(value, ensure_ascii=False, **layout)
    # UTF-8 cannot encode a lone surrogate, so it becomes its JSON escape again.
    return Reply(reply.status, text.encode(errors="backslashreplace"), reply.headers)


def _mask(text: str | None) -> Mask | None:
    try:
        return parse_mask(text) if text else None
    except BadMask as error:
        raise BadQuery(("fields", f"Not a field mask: {error}")) from error
