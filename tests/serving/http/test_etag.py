"""Entity tags."""

import pytest

from serving.http.replies import is_current


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        (None, False),
        (b'"a"', True),
        (b'W/"a"', True),
        (b'"b", "a"', True),
        (b"*", True),
        (b'"b"', False),
        (b"a", False),
    ],
)
def test_if_none_match_is_a_list_and_compares_weakly(sent: bytes | None, *, known: bool) -> None:
    assert known == is_current({} if sent is None else {b"if-none-match": sent}, b'"a"')
