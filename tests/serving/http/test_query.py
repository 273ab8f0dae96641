"""A query string as names and values, as every process reads it (G2, Q3)."""

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.http.query import MAX_QUERY_BYTES, BadQuery, parameter_pairs

MOST = 3
TEXTS = st.text(st.characters(codec="utf-8"))
# A piece of a query: what separates and escapes, and text beyond ASCII.
PIECES = st.lists(st.sampled_from(["x", "Y", "=", "&", "+", "%", "%41", "%C3%A9", ";", "é", "\0"]), max_size=9)


def refusal(text: bytes, most: int = MOST) -> tuple[str, str]:
    """The field and the description of the only violation."""
    with pytest.raises(BadQuery) as caught:
        parameter_pairs(text, most)
    (violation,) = caught.value.violations
    return violation.field, violation.description


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=MOST))
def test_g2_what_a_client_encodes_is_read_back(pairs: list[tuple[str, str]]) -> None:
    """In order, empty and repeated ones too: the caller decides what they mean."""
    assert pairs == parameter_pairs(urlencode(pairs).encode(), MOST)


@given(PIECES)
def test_g2_a_query_means_what_pythons_parser_says(pieces: list[str]) -> None:
    """The oracle: blank values are kept, and an escape that is none stays as it is."""
    text = "".join(pieces)
    assert parse_qsl(text, keep_blank_values=True) == parameter_pairs(text.encode(), 99)


@pytest.mark.parametrize(
    ("text", "field"), [(b"a=%FF", "a"), (b"a=\xff", "a"), (b"%FF=1", "query"), (b"a=%ED%A0%80", "a")]
)
def test_q3_text_that_is_not_utf8_is_refused_with_the_name_of_its_parameter(text: bytes, field: str) -> None:
    """A name that is not UTF-8 can't be repeated in the answer."""
    assert (field, "Must be UTF-8") == refusal(text)


def test_q3_a_violation_repeats_no_more_than_the_start_of_a_name() -> None:
    """The answer stays short, whatever was sent."""
    assert "a" * 256 == refusal(b"a" * 5_000 + b"=%FF")[0]


def test_g2_a_query_is_bounded_in_bytes_and_in_parameters() -> None:
    """Each bound is inclusive."""
    assert MOST == len(parameter_pairs(b"&".join([b"a=1"] * MOST), MOST))
    assert ("query", f"More than {MOST} parameters") == refusal(b"&" * MOST)
    assert 1 == len(parameter_pairs(b"a" * MAX_QUERY_BYTES, MOST))
    assert ("query", f"Longer than {MAX_QUERY_BYTES} bytes") == refusal(b"a" * (MAX_QUERY_BYTES + 1))


@given(st.binary(max_size=60))
def test_g2_any_bytes_are_read_or_refused(text: bytes) -> None:
    """No other error, whatever is sent."""
    try:
        pairs = parameter_pairs(text, MOST)
    except BadQuery:
        return
    assert len(pairs) <= MOST
