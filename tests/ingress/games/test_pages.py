"""Page tokens and the parameters of a page (G20)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.games.pages import Listing, Page, cut, page_of
from schemas.games.body import MAX_RESULTS
from schemas.records.signing import SigningKeys
from serving.http.paging import signed_token
from serving.http.query import BadQuery
from tests.ingress.rig import SIGNING

MINE = Listing("demo", "ann", "events.listByPlayer")
IDS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


def page(**query: str) -> Page:
    return page_of(query, MINE, SIGNING)


def fields(**query: str) -> list[str]:
    with pytest.raises(BadQuery) as caught:
        page(**query)
    return [violation.field for violation in caught.value.violations]


def test_g20_a_page_has_100_items_unless_said_and_never_more_than_500() -> None:
    """A larger number is reduced, not refused."""
    sizes = [page(**query).size for query in ({}, {"maxResults": "1"}, {"maxResults": "501"})]
    assert [100, 1, MAX_RESULTS] == sizes
    assert MAX_RESULTS == page(maxResults=str(2**31 - 1)).size


@pytest.mark.parametrize("text", ["0", "-1", str(2**31), str(10**30), "", "ten", "1.0", "+5", " 5", "05", "1e2", "٣"])
def test_g20_what_is_no_int32_of_at_least_1_is_refused_by_name(text: str) -> None:
    """Google's discovery document has an int32."""
    assert ["maxResults"] == fields(maxResults=text)


def test_g20_both_parameters_are_named_where_both_are_wrong() -> None:
    """B2: every violation at once."""
    assert ["maxResults", "pageToken"] == fields(maxResults="0", pageToken="x")


def test_g20_a_token_is_bound_to_app_player_and_method() -> None:
    """For another list the token is as wrong as a forged one."""
    token = signed_token("B", MINE, SIGNING)
    assert Page("B") == page(pageToken=token)
    for other in (MINE._replace(app="other"), MINE._replace(player="bob"), MINE._replace(method="events.list")):
        with pytest.raises(BadQuery, match="pageToken"):
            page_of({"pageToken": token}, other, SIGNING)


@pytest.mark.parametrize(
    "token", ["x", "=", "é", "QQ==", "QS4=", "LmE=", signed_token("a/b", MINE, SIGNING), "A" * 5000]
)
def test_g20_a_malformed_token_is_refused_by_name(token: str) -> None:
    """It never leads to an error 500."""
    assert ["pageToken"] == fields(pageToken=token)


@given(st.text(max_size=300))
def test_g20_no_text_is_a_token(text: str) -> None:
    """Except the empty text, which clients send for the first page."""
    if text:
        assert ["pageToken"] == fields(pageToken=text)
    else:
        assert Page() == page(pageToken=text)


def test_g20_a_token_outlives_a_change_of_the_first_key() -> None:
    """Any key of the settings verifies."""
    token = signed_token("B", MINE, SIGNING)
    newer = SigningKeys((b"another sixteen bytes", *SIGNING.keys))
    assert Page("B") == page_of({"pageToken": token}, MINE, newer)


@given(IDS)
def test_g1_a_token_stays_under_256_characters(last: str) -> None:
    """Longer ones make real clients send a POST."""
    token = signed_token(last, MINE, SIGNING)
    assert 256 > len(token)
    assert Page(last) == page(pageToken=token)


@given(ids=st.sets(IDS, max_size=40), size=st.integers(1, 45))
def test_g20_pages_of_any_size_walk_everything_once_in_order(ids: set[str], size: int) -> None:
    """The last page has no token."""
    walked: list[str] = []
    after = ""
    for _ in range(len(ids) + 1):
        shown, last = cut(ids, str, Page(after, size))
        walked += shown
        if last is None:
            break
        after = last
    assert sorted(ids) == walked


@given(ids=st.sets(IDS, min_size=2, max_size=20), more=st.sets(IDS, max_size=20), size=st.integers(1, 5))
def test_g20_what_is_added_between_two_pages_neither_shifts_nor_repeats(
    ids: set[str], more: set[str], size: int
) -> None:
    """The token holds the last id, not a number of items."""
    first, last = cut(ids, str, Page("", size))
    if last is not None:
        rest, _ = cut(ids | more, str, Page(last, 100))
        assert not set(first) & set(rest)
        assert set(first) | set(rest) >= ids
