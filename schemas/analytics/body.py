"""AddEvent and AddEventBatch on the wire (docs/rules.md, A1 to A12): from a body in any form to its items.

Ingress and worker both read a body with these functions, so it can't mean two things. Violations name exact positions:
`eventData[3].Timestamp`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote_plus

import msgspec

from schemas.analytics.items import Item, identity_of, parse_item
from schemas.analytics.media import Media, decode_media
from schemas.wire.malformed import MAX_VIOLATIONS, Violation
from schemas.wire.quick_json import quick_object
from schemas.wire.strict_json import BadJson, Member, read_members, read_value, text_of
from schemas.wire.values import BadValue, TooLarge

ANALYTICS_TYPE = "tallymill.analytics.add_event"
FORM_TYPE = "application/x-www-form-urlencoded"
JSON_TYPE = "application/json"

MAX_REQUEST_ID_CHARACTERS = 128
MAX_MEDIA_BYTES = 16 * 1024
# mediaInfo is stored with every item: the limit for all copies of one request.
MAX_MEDIA_COPIES_BYTES = 16 * 1024 * 1024
MAX_FORM_FIELDS = 100
# `token` as a form field's name: five letters of at most three bytes (the Kelvin sign lowers to k), each escaped by
# three characters. A longer name is another one, and need not be unescaped.
MAX_ESCAPED_TOKEN_CHARACTERS = 5 * 3 * 3

_FIELDS = {"token": "Token", "mediainfo": "mediaInfo", "eventdata": "eventData", "requestid": "requestId"}


class MalformedAnalytics(ValueError):
    """The body is not a batch. `is_json`: it can't be read at all; otherwise a field is wrong."""

    def __init__(self, violations: Sequence[Violation], *, is_json: bool = False) -> None:
        self.violations = tuple(violations)
        self.is_json = is_json
        super().__init__("; ".join(f"{v.field}: {v.description}" if v.field else v.description for v in violations))


class TooManyItems(TooLarge):
    """More items than one request may hold."""


class _Read(NamedTuple):
    """A body's known fields by name. `blank` writes the body without its token's value: only an ingress needs that."""

    by_name: Mapping[str, Any]
    content_type: str
    blank: Callable[[], str]


class Sent(NamedTuple):
    """The known fields of a body, its token if it has one, and the body with the token's value blanked."""

    fields: Mapping[str, Any]
    token: str | None
    blanked: bytes
    content_type: str


class AnalyticsBatch(msgspec.Struct, frozen=True, gc=False):
    """A body that was read: good items and violations by position, and the first bad items as they were sent."""

    request_id: str | None
    media: Media
    items: Mapping[int, Item]
    bad: Sequence[Violation]
    bad_positions: frozenset[int]
    bad_entries: Sequence[object]


def read_sent(body: bytes, content_type: str) -> Sent:
    """A body as a client sent it, with its token. Raises MalformedAnalytics, TooLarge."""
    found = _read(body, content_type)
    token = _text(found.by_name, "Token") or None
    return Sent(found.by_name, token, found.blank().encode(), found.content_type)


def read_batch(body: bytes, content_type: str) -> AnalyticsBatch:
    """The batch in a body that is read from Kafka. Raises MalformedAnalytics, TooLarge."""
    members = quick_object(body)
    return _parsed(_read(body, content_type).by_name if members is None else _known(members.items()))


def _read(body: bytes, content_type: str) -> _Read:
    """Read JSON if the body begins like an object, whatever its content type; otherwise a form (A2)."""
    try:
        if body.lstrip(b" \t\r\n").startswith(b"{") or content_type == JSON_TYPE:
            return _json(text_of(body))
        return _form(text_of(body))
    except BadJson as error:
        raise MalformedAnalytics([Violation(field="", description=str(error))], is_json=True) from None


def _json(text: str) -> _Read:
    members = read_members(text)
    fields = _known((member.key, member.value) for member in members)
    return _Read(fields, JSON_TYPE, lambda: _without(text, [m for m in members if m.key.lower() == "token"]))


def _without(text: str, tokens: Sequence[Member]) -> str:
    """`text` with these values blanked. It is copied once, however many there are."""
    starts = [0, *(member.end for member in tokens)]
    ends = [*(member.start for member in tokens), len(text)]
    return '""'.join(text[start:end] for start, end in zip(starts, ends, strict=True))


def _form(text: str) -> _Read:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS)
    except ValueError as error:
        raise BadJson(f"neither a JSON object nor a form: {error}") from None
    return _Read(_known(pairs), FORM_TYPE, lambda: "&".join(_blanked(part) for part in text.split("&")))


def _blanked(part: str) -> str:
    key, equals, _ = part.partition("=")
    is_token = len(key) <= MAX_ESCAPED_TOKEN_CHARACTERS and unquote_plus(key).lower() == "token"
    return key + equals if is_token else part


def _known(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The known fields, by name without regard to case. If a spelling is repeated, the last value counts (B2).

    Raises MalformedAnalytics if a field has two spellings (A3).
    """
    found: dict[str, Any] = {}
    spelt: dict[str, str] = {}
    for key, value in pairs:
        if name := _FIELDS.get(key.lower()):
            if spelt.setdefault(name, key) != key:
                raise MalformedAnalytics([Violation(field=name, description="is there in two spellings")])
            found[name] = value
    return found


def parse_analytics(sent: Sent, max_items: int | None = None, *, single: bool = False) -> AnalyticsBatch:
    """The batch. `single`: AddEvent, which takes one event (A5). Raises MalformedAnalytics, TooLarge."""
    return _parsed(sent.fields, max_items, single=single)


def _parsed(fields: Mapping[str, Any], max_items: int | None = None, *, single: bool = False) -> AnalyticsBatch:
    media_info = _text(fields, "mediaInfo")
    request_id = _text(fields, "requestId")
    if request_id is not None and not 0 < len(request_id) <= MAX_REQUEST_ID_CHARACTERS:
        raise _wrong("requestId", f"must have 1 to {MAX_REQUEST_ID_CHARACTERS} characters")
    entries = _entries(fields.get("eventData"))
    if single and len(entries) > 1:
        raise _wrong("eventData", "AddEvent takes one event: send several to AddEventBatch")
    if max_items is not None and len(entries) > max_items:
        raise TooManyItems(f"{len(entries)} items, at most {max_items} are taken")
    _check_media(media_info, len(entries))
    return _batch(request_id, decode_media(media_info), entries)


def _batch(request_id: str | None, media: Media, entries: Sequence[object]) -> AnalyticsBatch:
    items: dict[int, Item] = {}
    bad: list[Violation] = []
    bad_entries: list[object] = []
    positions: list[int] = []
    for i, entry in enumerate(entries):
        try:
            items[i] = parse_item(entry)
        except BadValue as error:
            positions.append(i)
            if len(bad) < MAX_VIOLATIONS:
                field = f"eventData[{i}].{error.field}" if error.field else f"eventData[{i}]"
                bad.append(Violation(field=field, description=error.description))
                bad_entries.append(entry)
    return AnalyticsBatch(request_id, media, items, bad, frozenset(positions), bad_entries)


def _entries(sent: object) -> Sequence[object]:
    """EventData as an array. One object is an array of one; JSON text is parsed (A2, A5). Raises MalformedAnalytics."""
    if isinstance(sent, str):
        try:
            sent = read_value(sent)
        except BadJson as error:
            raise _wrong("eventData", f"is text that is not JSON: {error}") from None
    if isinstance(sent, dict):
        return (sent,)
    if isinstance(sent, list):
        return sent
    raise _wrong("eventData", "is required" if sent is None else "must be an object or an array of objects")


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise _wrong(name, "must be a string")


def _check_media(media_info: str | None, items: int) -> None:
    size = len((media_info or "").encode())
    if size > MAX_MEDIA_BYTES:
        raise _wrong("mediaInfo", f"is larger than {MAX_MEDIA_BYTES} bytes")
    if size * items > MAX_MEDIA_COPIES_BYTES:
        raise _wrong("mediaInfo", f"is kept with every event: {size} bytes x {items} are too much")


def _wrong(field: str, description: str) -> MalformedAnalytics:
    return MalformedAnalytics([Violation(field=field, description=description)])


def identity_at(actor: str, request_id: str, position: int) -> str:
    """The identity of the item at a position of a request with an id."""
    return identity_of(b"position", actor.encode(), request_id.encode(), b"%d" % position)


def identities(batch: AnalyticsBatch, actor: str, request_id: str | None) -> dict[int, str]:
    """The identity of each good item, by position (A11).

    With a request id the identity is the position. Without one it is the content and the number of equal items before
    it, so that a pool that is sent again with one more item adds only that one.
    """
    if request_id is not None:
        return {i: identity_at(actor, request_id, i) for i in batch.items}
    before: Counter[bytes] = Counter()
    found: dict[int, str] = {}
    for i, item in batch.items.items():
        found[i] = identity_of(b"content", actor.encode(), item.canonical, b"%d" % before[item.canonical])
        before[item.canonical] += 1
    return found
