"""The token in a body, found without parsing it: the same as parsing finds, whatever else is in the body."""

import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.analytics import token_scan
from ingress.analytics.token_scan import token_in
from schemas.analytics.body import FORM_TYPE, JSON_TYPE, MalformedAnalytics, read_sent
from serving.tokens.bearer import MAX_TOKEN_BYTES

NAMES = st.sampled_from(["Token", "token", "TOKEN", "To\u212aen", 'x"token', "token\\", "tokens", "eventData", "a", ""])
TEXTS = st.text(alphabet='tok"\\{}[]:, \u00e9\u212a&=%+', max_size=12) | st.sampled_from(['"token":"a"', "eyJ.a-_.b"])
VALUES = st.recursive(
    TEXTS | st.none() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=12
)


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    """JSON objects with names given twice, escaped in every way, with blanks between."""
    members = draw(st.lists(st.tuples(NAMES, VALUES), max_size=6))
    blank = draw(st.sampled_from(["", " ", "\n\t "]))
    ascii_only, escapes = draw(st.booleans()), draw(st.booleans())

    def text(value: object) -> str:
        written = json.dumps(value, ensure_ascii=ascii_only, separators=(f"{blank},", f"{blank}:{blank}"))
        return (
            written.replace("t", "\\u0074").replace("K", "\\u004B") if escapes and isinstance(value, str) else written
        )

    inner = ",".join(f"{blank}{text(name)}{blank}:{blank}{text(value)}" for name, value in members)
    return f"{{{inner}{blank}}}".encode()


def parsed(body: bytes, media_type: str) -> str | None:
    return read_sent(body, media_type).token


@given(body=objects(), window_bytes=st.integers(1, 40))
def test_a4_in_json_it_is_what_parsing_finds(body: bytes, window_bytes: int) -> None:
    """Wherever a window of the search ends. Tokens that are no strings or have two spellings are left to the parser."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(token_scan, "_WINDOW_BYTES", window_bytes)
        found = token_in(body, is_json=True)
    try:
        expected = parsed(body, JSON_TYPE)
    except MalformedAnalytics:
        return
    members = json.loads(body, object_pairs_hook=lambda pairs: [v for k, v in pairs if k.lower() == "token"])
    if all(isinstance(value, str) and value for value in members):
        assert expected == found


FIELDS = st.lists(st.tuples(st.sampled_from(["Token", "token", "tok", "mediaInfo", "a"]), TEXTS), max_size=6)


@given(fields=FIELDS, window_bytes=st.integers(1, 40), escapes=st.booleans())
def test_a4_in_a_form_it_is_what_parsing_finds(
    fields: list[tuple[str, str]], window_bytes: int, *, escapes: bool
) -> None:
    """However it is encoded."""
    text = urlencode(fields)
    if escapes:
        text = text.replace("t", "%74").replace("T", "%54").replace("o", "%6F")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(token_scan, "_WINDOW_BYTES", window_bytes)
        found = token_in(text.encode(), is_json=False)
    try:
        assert parsed(text.encode(), FORM_TYPE) == (found or None)
    except MalformedAnalytics:
        return


@given(body=st.binary(max_size=300), is_json=st.booleans())
def test_any_bytes_have_an_answer(body: bytes, *, is_json: bool) -> None:
    """Also those that are neither."""
    assert isinstance(token_in(body, is_json=is_json), str | None)


def test_a_text_longer_than_any_token_is_none() -> None:
    """Escaped or not."""
    for size, found in ((MAX_TOKEN_BYTES, True), (MAX_TOKEN_BYTES + 1, False)):
        text = "a" * size
        assert found == (token_in(json.dumps({"Token": text}).encode(), is_json=True) == text)
        assert found == (token_in(b'{"Token":"' + b"\\u0061" * size + b'"}', is_json=True) == text)
        assert found == (token_in(f"Token={quote(text)}".encode(), is_json=False) == text)


def test_names_of_data_that_are_called_token_are_passed_over() -> None:
    """As many as an honest pool can have."""
    items = [{"Event": "a", "Data": {"token": "gold"}} for _ in range(10_000)]
    assert "good" == token_in(json.dumps({"eventData": items, "Token": "good"}).encode(), is_json=True)
