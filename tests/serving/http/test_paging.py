"""The size of a page and the two kinds of page tokens, shared by ingress and console (G20, Q3, Q6)."""

import base64
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records.signing import SigningKeys
from serving.http.paging import INT32_MAX, digest_place, digest_token, page_size, signed_place, signed_token

KEYS = SigningKeys((b"sixteen bytes or more",))
MINE = ("demo", "ann", "events.listByPlayer")
SHAPE = (int, str)
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8"))


@given(st.integers(1, INT32_MAX), st.integers(1, 500))
def test_q3_a_size_is_reduced_to_the_most(size: int, most: int) -> None:
    """Too much is not an error."""
    assert min(size, most) == page_size(str(size), most)


@pytest.mark.parametrize(
    "text", ["", "0", "05", "-1", "+1", " 1", "1.0", "1e2", "x", str(INT32_MAX + 1), "٣", "1" * 5_000]
)
def test_q3_what_is_not_a_number_from_1_to_int32_is_no_size(text: str) -> None:
    """Python's int() takes some of them."""
    assert page_size(text, 500) is None


@given(IDS)
def test_g20_a_signed_token_is_read_back_for_its_own_query_alone(place: str) -> None:
    """Of another app, player or method it is as good as made up."""
    token = signed_token(place, MINE, KEYS)
    assert place == signed_place(token, MINE, KEYS)
    for other in (("other", *MINE[1:]), ("demo", "bob", MINE[2]), (*MINE[:2], "events.list"), MINE[:2]):
        assert signed_place(token, other, KEYS) is None


def test_g20_any_of_the_keys_verifies_a_signed_token() -> None:
    """A token outlives a change of the first key, but not the removal of its own."""
    token = signed_token("B", MINE, KEYS)
    newer = SigningKeys((b"another sixteen bytes", *KEYS.keys))
    assert "B" == signed_place(token, MINE, newer)
    assert signed_place(token, MINE, SigningKeys(newer.keys[:1])) is None


@given(st.integers(), TEXTS, TEXTS, st.none() | TEXTS)
def test_q6_a_digest_token_is_read_back_for_its_own_query_alone(
    number: int, text: str, app: str, event: str | None
) -> None:
    """With another query it would begin anywhere."""
    token = digest_token((number, text), (app, event))
    assert (number, text) == digest_place(token, (app, event), SHAPE)
    assert digest_place(token, (app, event, "more"), SHAPE) is None


@pytest.mark.parametrize("place", [("x", "y"), (True, ""), (1.0, ""), (1,), (1, "", "")])
def test_q6_a_digest_token_of_another_shape_is_refused(place: Sequence[str | int]) -> None:
    """It is not signed, so any client can make one."""
    assert digest_place(digest_token(place, MINE), MINE, SHAPE) is None


@given(TEXTS | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_q6_no_other_text_is_a_token(text: str) -> None:
    """None, never an error, whatever a client sends."""
    assert signed_place(text, MINE, KEYS) is None
    assert digest_place(text, MINE, SHAPE) is None


@pytest.mark.parametrize(
    "text", ["", "\ud800", "é", "=", "QQ==", "QS4=", "LmE=", "A" * 5_000, "W1tbW1tbW1tb" * 5_000, "MTEx" * 5_000]
)
def test_q6_texts_that_break_a_parser_are_no_tokens(text: str) -> None:
    """Not UTF-8, no base64, nested arrays without end, a number of thousands of digits."""
    assert signed_place(text, MINE, KEYS) is None
    assert digest_place(text, MINE, SHAPE) is None


@pytest.mark.parametrize("foreign", [" ", "\n", "!", "é"])
def test_q6_a_token_with_a_foreign_character_is_refused(foreign: str) -> None:
    """Python's decoder of base64 skips it by default."""
    assert signed_place(foreign + signed_token("B", MINE, KEYS), MINE, KEYS) is None
    assert digest_place(foreign + digest_token((1, "B"), MINE), MINE, SHAPE) is None


def test_q6_the_two_forms_of_a_token_stay_as_they_are() -> None:
    """Tokens in circulation are read by processes of the next version, and new ones by those of the last."""
    mac = KEYS.sign((b"page", b"demo", b"ann", b"events.listByPlayer", b"B"))
    assert base64.urlsafe_b64encode(f"B.{mac}".encode()).decode() == signed_token("B", MINE, KEYS)
    token = digest_token((1, "B"), ("demo", None))
    assert ["a9c3d3ec1ff4", 1, "B"] == json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    assert "=" not in token
