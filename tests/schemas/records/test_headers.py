"""Headers as they are kept: whatever a producer wrote."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.records.headers import by_name, clean_headers, content_type_of

names = st.text(max_size=10) | st.binary(max_size=10)


@given(st.lists(st.tuples(names, st.none() | st.binary(max_size=10))))
def test_names_are_text_values_are_bytes_and_nulls_are_absent(raw: list[tuple[str | bytes, bytes | None]]) -> None:
    """In their order; cleaned again they stay as they are."""
    cleaned = clean_headers(raw)
    assert [value for _, value in raw if value is not None] == [value for _, value in cleaned]
    assert all(isinstance(name, str) for name, _ in cleaned)
    assert cleaned == clean_headers(cleaned)


def test_of_a_name_that_stands_twice_the_last_counts() -> None:
    """Invalid UTF-8 in a name is escaped."""
    found = by_name(clean_headers([("a", b"1"), ("a", None), ("a", b"2"), (b"\xff", b"3")]))
    assert {"a": b"2", "\\xff": b"3"} == found


def test_a_content_type_that_is_missing_null_or_no_text_is_no_trouble() -> None:
    """Then the body's beginning decides how it is read."""
    assert "" == content_type_of(clean_headers([("content-type", None)]))
    assert "\ufffd" == content_type_of([("content-type", b"\xff")])
    assert "a/b" == content_type_of([("content-type", b"a/b")])
