"""The table of answers, through the whole app: the rows about HTTP, for any path.

The row of the limit per address is in test_address_limit.py, and the answers to a batch are in
tests/ingress/games/test_record.py.
"""

import pytest

from tests.ingress.rig import RECORD, Answer, Rig, batch, period, token, update

GOOD = {"authorization": f"Bearer {token()}"}


def row(answer: Answer) -> tuple[int, str, str]:
    """HTTP status, Google's status and reason."""
    error = answer.json["error"]
    assert error["code"] == answer.status
    return answer.status, error["status"], error["errors"][0]["reason"]


@pytest.mark.parametrize("path", [f"{RECORD}/", "/games/v1", "/", "/v1/limits/x", "//games/v1/events"])
async def test_http_404_for_a_path_where_nothing_is(rig: Rig, path: str) -> None:
    """Whatever the method, and never a redirect."""
    for method in ("GET", "POST", "OPTIONS", "BREW"):
        answer = await rig.call(method, path)
        assert (404, "NOT_FOUND", "notFound") == row(answer)
        assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", RECORD, "GET, HEAD, POST"),
        ("BREW", RECORD, "GET, HEAD, POST"),
        ("POST", "/v1/limits", "GET, HEAD"),
        ("POST", "/livez", "GET, HEAD"),
    ],
)
async def test_http_405_says_what_is_allowed(rig: Rig, method: str, path: str, allowed: str) -> None:
    """Before size, token and query."""
    answer = await rig.call(method, f"{path}?alt=media", {"content-length": "99999999"})
    assert (405, "INVALID_ARGUMENT", "httpMethodNotAllowed") == row(answer)
    assert allowed == answer.headers["allow"]


async def test_http_408_for_a_body_not_sent_in_time_closes_the_connection() -> None:
    """Encoded or not."""
    for coding in ("identity", "gzip"):
        rig = Rig(body_seconds=0.01)
        answer = await rig.call("POST", RECORD, GOOD | {"content-encoding": coding}, [b"\x1f"], ends=False)
        assert (408, "DEADLINE_EXCEEDED", "requestTimeout") == row(answer)
        assert "close" == answer.headers["connection"]


async def test_http_413_for_a_body_too_large_announced_or_not(rig: Rig) -> None:
    """The rest is not waited for."""
    announced = await rig.call("POST", RECORD, {"content-length": str((1 << 20) + 1)})
    streamed = await rig.call("POST", RECORD, GOOD, [b" " * (1 << 20), b" "])
    for answer in (announced, streamed):
        assert (413, "INVALID_ARGUMENT", "requestTooLarge") == row(answer)
        assert "close" == answer.headers["connection"]


@pytest.mark.parametrize(
    ("header", "value", "names"),
    [
        ("content-type", "text/plain", False),
        ("content-type", "application/json; charset=utf-16", False),
        ("content-encoding", "br", True),
    ],
)
async def test_http_415_for_media_type_charset_and_encoding(rig: Rig, header: str, value: str, *, names: bool) -> None:
    """Accept-Encoding only where the encoding is the reason (RFC 9110 section 12.5.3)."""
    answer = await rig.call("POST", RECORD, GOOD | {header: value}, [batch()])
    assert (415, "INVALID_ARGUMENT", "unsupportedMediaType") == row(answer)
    assert names == ("accept-encoding" in answer.headers)


async def test_http_400_for_a_bad_query(rig: Rig) -> None:
    """As for a bad body: the violation names the parameter."""
    answer = await rig.call("POST", f"{RECORD}?alt=proto", GOOD, [batch()])
    assert (400, "INVALID_ARGUMENT", "badRequest") == row(answer)
    (detail,) = answer.json["error"]["details"]
    assert ["alt"] == [violation["field"] for violation in detail["fieldViolations"]]


async def test_http_500_for_a_bug_has_no_trace_of_it(rig: Rig) -> None:
    """Nor the words of the error."""
    rig.definitions._apps = {"demo": "not definitions"}  # type: ignore[assignment]  # what a bug looks like
    answer = await rig.record(period(update()))
    assert (500, "INTERNAL", "backendError") == row(answer)
    assert "details" not in answer.json["error"]
    assert not any(word in answer.body for word in (b"Traceback", b"not definitions", b".py"))


async def test_http_503_while_draining(rig: Rig) -> None:
    """/readyz answers 503. A batch that still arrives is counted, and its connection ends (B4)."""
    rig.stopping.draining = True
    ready = await rig.call("GET", "/readyz")
    assert (503, ["draining"], "1") == (ready.status, ready.json["missing"], ready.headers["retry-after"])
    answer = await rig.record(period(update()))
    assert (200, "close") == (answer.status, answer.headers["connection"])
