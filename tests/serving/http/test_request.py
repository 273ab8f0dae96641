"""The request that an endpoint takes (B6, B8), read once from ASGI's scope."""

from typing import Any

import pytest

from serving.http.request import Request, RequestIds, Target, request_of
from tests.clock import TestClock
from tests.ingress.rig import NOW


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"text"}


def request(*headers: tuple[bytes, bytes], **scope: object) -> Request:
    """The request that a scope with these headers describes."""
    usual = {"type": "http", "method": "GET", "path": "/a", "query_string": b"", "client": ("192.0.2.1", 80)}
    return request_of({**usual, "headers": list(headers), **scope}, receive, TestClock())


async def test_a_request_is_what_the_scope_says_and_when_it_came() -> None:
    """With the times of both clocks, the address of the peer, the path parameters, and the reader of the body."""
    made = request(query_string=b"a=1", path_params={"name": "x"})
    assert ("GET", Target("/a", b"a=1", {"name": "x"}, {})) == (made.method, made.target)
    assert ("192.0.2.1", NOW, 1_000.0) == (made.address, made.wall_millis, made.monotonic_seconds)
    assert b"text" == (await made.read())["body"]


def test_a_request_changes_nothing_in_the_scope() -> None:
    """The scope belongs to the server and the router."""
    scope: dict[str, Any] = {"method": "GET", "path": "/", "query_string": b"", "headers": []}
    before = dict(scope)
    made = request_of(scope, receive, TestClock())
    assert before == scope
    with pytest.raises(AttributeError):
        made.method = "PUT"  # type: ignore[misc]


def test_a_parsed_query_makes_a_new_request() -> None:
    """Everything else stays as it was."""
    made = request(query_string=b"a=1")
    parsed = made.with_query({"a": "1"})
    assert ({}, {"a": "1"}) == (made.target.query, parsed.target.query)
    assert made == parsed.with_query({})


def test_without_a_tcp_connection_there_is_no_address() -> None:
    """A Unix socket has none."""
    assert request(client=None).address is None


def test_of_a_header_sent_twice_the_first_counts_and_of_a_list_all() -> None:
    """RFC 9110, section 5.3."""
    made = request((b"a", b"1"), (b"a", b"2"), (b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-for", b"2.2.2.2"))
    assert {b"a": b"1", b"x-forwarded-for": b"1.1.1.1,2.2.2.2"} == made.headers


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [(b"Bearer a.b", "a.b"), (b"bEARER  a ", "a"), (b"Bearer", None), (b"Basic YTpi", None), (b"", None)],
)
def test_b6_the_bearer_is_the_token_of_authorization(authorization: bytes, expected: str | None) -> None:
    """The scheme matches in any case. The credentials of another scheme are not a token."""
    assert expected == request((b"authorization", authorization)).bearer
    assert request().bearer is None


def test_b5_a_usable_request_id_is_echoed_and_others_are_made_anew() -> None:
    """An id that could break a log line, or is too long for one, is not usable."""
    ids = RequestIds()
    assert b"a-1" == ids.of({b"x-request-id": b"a-1"})
    made = {ids.of({}), ids.of({b"x-request-id": b"a\nb"}), ids.of({b"x-request-id": b"a" * 65}), RequestIds().of({})}
    assert 4 == len(made)
    assert b"a\nb" not in made
