"""Bodies of AddEventBatch as hostile clients send them, made by hypothesis: JSON texts that no encoder would write."""

import base64
import json
from typing import NamedTuple
from urllib.parse import urlencode

from hypothesis import strategies as st

from schemas.analytics.body import FORM_TYPE, JSON_TYPE

GOOD = '{"Timestamp":1790000000,"Event":"A","Data":{"n":1}}'


class Body(NamedTuple):
    """What is sent, and as what."""

    sent: bytes
    content_type: str


def nested(levels: int, inner: str = "1", *, objects: bool = False) -> str:
    """JSON text of `inner` so many levels deep."""
    opening, closing = ('{"a":', "}") if objects else ("[", "]")
    return opening * levels + inner + closing * levels


# The bounds and what is beside them; and where Python's own parser gives up, which depends on its caller.
LEVELS = st.sampled_from([1, 30, 31, 32, 33, 34, 59, 60, 61, 62, 63, 64, 65, 66, 300, 950, 966, 975, 986, 999, 5_000])
DEEP = st.builds(nested, LEVELS, st.sampled_from(["1", "", '"\\ud83d\\ude00"', "{}"]), objects=st.booleans())
NUMBERS = ["0", "-0", "1e400", "-1e400", "1e-400", "NaN", "Infinity", "9" * 19, "9" * 20, "-" + "9" * 21, "9" * 5_000]
NUMBERS += ["0." + "1" * 5_000, "9223372036854775807", "9223372036854775808", "-9223372036854775808", "2147483648"]
TEXTS = ['""', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\\\\\""', '"[[[{{"', '"a\\"]"']
ODD = ["null", "true", "{}", "[]", '{"":{}}', '{"$ref":"a","$id":"b"}', '{"a\\u0000":1}', '{"a":1,"a":[2]}', "[,]", "{"]
VALUES = st.sampled_from([*NUMBERS, *TEXTS, *ODD]) | DEEP

WRITTEN = ["9999-12-31T23:59:59.9999999-08:00", "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:60Z", "0001-01-01T00Z"]
WRITTEN += ["1970-01-01T00:00:00-23:59", "20260921141320", "20260921", "2016-12-31t23:59:60z", "/Date(99999999999999)/"]
WRITTEN += ["99999999999999999", "1" * 5_000, "1." + "0" * 5_000, "\u0661", "2026-W39-1T24:00", ""]
TIMES = st.sampled_from([*map(json.dumps, WRITTEN), "1790000000", "99999999999.9", "99999999999999999"]) | VALUES
MARKS = st.integers(0, 400).map(lambda count: json.dumps("a" + "\u0300\u0316" * count, ensure_ascii=False))
TITLES = st.sampled_from(['"A"', '"\\u1100\\u1161"', '"\u212b"', '" (other) "', json.dumps("é" * 128)]) | MARKS | VALUES
DATA = st.builds(lambda inner: f'{{"x":{inner}}}', VALUES) | st.builds(lambda inner: f"[{{}},{inner}]", VALUES) | VALUES

ITEMS = (
    st.builds(lambda at, title, data: f'{{"Timestamp":{at},"Event":{title},"Data":{data}}}', TIMES, TITLES, DATA)
    | st.builds(lambda data: f'{{"Timestamp":1790000000,"Event":"A","Data":{data}}}', DATA)
    | st.builds(lambda at: f'{{"Timestamp":{at},"Event":"A"}}', TIMES)
    | st.builds(lambda extra: f'{{"Timestamp":1790000000,"Event":"A","extra":{extra}}}', VALUES)
    | st.just(GOOD)
)
POOLS = st.lists(ITEMS, max_size=4).map(lambda items: f"[{','.join(items)}]") | st.just(GOOD) | VALUES
MEDIA = st.builds(lambda inner: f'{{"e":"\\ud83d\\ude00","a":{inner}}}', VALUES) | VALUES


@st.composite
def bodies(draw: st.DrawFn) -> Body:
    """JSON, JSON text inside JSON, or a form."""
    events = draw(POOLS)
    media = draw(st.none() | MEDIA.map(lambda text: base64.b64encode(text.encode(errors="replace")).decode()))
    as_form, as_text = draw(st.booleans()), draw(st.booleans())
    if as_form:
        fields = {"eventData": events, "Token": "secret"} | ({} if media is None else {"mediaInfo": media})
        return Body(urlencode(fields, errors="replace").encode(), FORM_TYPE)
    members = [f'"eventData":{json.dumps(events) if as_text else events}']
    members += [] if media is None else [f'"mediaInfo":{json.dumps(media)}']
    members += draw(st.lists(VALUES.map(lambda value: f'"unknown":{value}'), max_size=1))
    members += ['"Token":"secret"'] * draw(st.sampled_from([0, 1, 2, 97, 98, 99, 100, 150]))
    return Body(f"{{{','.join(members)}}}".encode(errors="replace"), JSON_TYPE)
