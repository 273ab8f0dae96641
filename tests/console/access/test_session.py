"""`/v1/session`, `/logout` and the session's cookie."""

import asyncio
import time

import pytest
from msgspec.structs import replace

from console.access import body
from console.access.body import json_body
from console.access.links import LINK_SECONDS
from console.access.sealed import Seal
from console.access.sessions import NAME, CookieSessions
from console.access.site import Site
from schemas.errors.table import Refusal
from schemas.wire.console_access import LinkCode, SessionReply
from schemas.wire.console_replies import OPERATE_SCOPE, READ_SCOPE
from schemas.wire.refusals import REFUSALS_SCOPE
from serving.http.whole import Body
from serving.refused import Refused
from tests.console.access.people import PAGE, Browser, bearer
from tests.console.requests import request
from tests.console.rig import SESSION_KEY, Rig

ALL = {READ_SCOPE, REFUSALS_SCOPE, OPERATE_SCOPE}


async def test_nobody_is_told_how_to_sign_in() -> None:
    """No error: the page asks this first."""
    answer = await Rig().call("GET", "/v1/session")
    found = SessionReply.model_validate(answer.json)
    assert (200, SessionReply(signed_in=False, sign_in=("token",))) == (answer.status, found)


async def test_a_token_says_who_asks_and_needs_no_csrf_token() -> None:
    """Scopes that the console doesn't know are left out."""
    found = (await Rig().call("GET", "/v1/session", headers=bearer(["email", READ_SCOPE]))).json
    assert (True, "ann", "demo", [READ_SCOPE], "bearer", None) == tuple(
        found[name] for name in ("signedIn", "subject", "app", "scopes", "way", "csrfToken")
    )


async def test_a_wrong_token_is_401_so_that_it_is_noticed() -> None:
    """The person has just pasted it."""
    answer = await Rig().call("GET", "/v1/session", headers={"authorization": "Bearer x"})
    assert (401, "authError") == (answer.status, answer.reason)


async def test_a_link_opens_a_session_that_may_do_all_and_works_once() -> None:
    """The browser then has a cookie that no script reads."""
    rig = Rig()
    browser = Browser(rig)
    answer = await browser.open_link("other")
    assert 200 == answer.status
    (cookie,) = answer.cookies
    assert cookie.startswith("tallymill-session-8090=")
    assert cookie.endswith("; Path=/; Max-Age=3600; HttpOnly; SameSite=Strict")
    found = (await rig.call("GET", "/v1/session", headers=browser.headers)).json
    assert answer.json == found
    assert ("link", "other", ALL, "session") == (
        found["subject"],
        found["app"],
        set(found["scopes"]),
        found["way"],
    )
    assert "no-store" == answer.headers["cache-control"]


async def test_a_link_is_refused_twice_and_for_a_wrong_code() -> None:
    """With the command that makes another."""
    rig = Rig()
    made = "demo.1.x.y"
    answer = await Browser(rig).open_link(code=made)
    assert (403, True, ()) == (
        answer.status,
        "tallymill link" in answer.json["error"]["message"],
        tuple(answer.cookies),
    )
    assert LINK_SECONDS == 600


@pytest.mark.parametrize(
    "changed",
    [{"origin": "http://evil.example"}, {"origin": None}, {"sec-fetch-site": "cross-site"}, {"host": "evil.example"}],
)
async def test_a_link_is_opened_by_the_page_only(changed: dict[str, str | None]) -> None:
    """Otherwise another site could sign a browser in as somebody else."""
    rig = Rig()
    headers = {name: value for name, value in (PAGE | changed).items() if value is not None}
    answer = await rig.post("/v1/session", {"code": "demo.1.x.y"}, headers)
    assert (403, ()) == (answer.status, tuple(answer.cookies))
    assert "own page" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("sent_body", "headers", "status"),
    [
        (b"{}", {}, 400),
        (b'{"code": 1}', {}, 400),
        (b'{"code": ""}', {}, 400),
        (b'{"code": "x", "more": 1}', {}, 400),
        (b"[]", {}, 400),
        (b"{", {}, 400),
        (b"\xff", {}, 400),
        (b'{"code": "x"}', {"content-type": "text/plain"}, 415),
        (b'{"code": "x"}', {"content-type": ""}, 415),
        (b"code=x", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b'{"code": "x"}', {"content-encoding": "gzip"}, 415),
    ],
)
async def test_a_body_is_json(sent_body: bytes, headers: dict[str, str], status: int) -> None:
    """A form of another site's page can't be JSON."""
    sent = {**PAGE, "content-type": "application/json", **headers}
    answer = await Rig().call("POST", "/v1/session", headers=sent, body=sent_body)
    assert status == answer.status, answer.body


async def test_a_large_body_is_not_read_to_its_end() -> None:
    """Memory is bounded before anybody has signed in."""
    parts = [b" " * 100_000] * 50

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": parts.pop(), "more_body": bool(parts)}

    asked = replace(request("POST", headers={"content-type": "application/json"}), read=Body({"type": "http"}, receive))
    with pytest.raises(Refused) as caught:
        await json_body(asked, LinkCode)
    (violation,) = caught.value.violations
    assert (Refusal.MALFORMED, "Larger than 262144 bytes") == (caught.value.refusal, violation.description)
    assert 47 == len(parts)


async def test_a_body_may_arrive_in_parts() -> None:
    """A network cuts it anywhere."""
    parts = [b'"x"}', b'{"code": ']

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": parts.pop(), "more_body": bool(parts)}

    asked = replace(request("POST", headers={"content-type": "application/json"}), read=Body({"type": "http"}, receive))
    assert "x" == (await json_body(asked, LinkCode)).code


async def test_a_body_that_does_not_arrive_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that stalls holds nothing."""
    monkeypatch.setattr(body, "ARRIVAL_SECONDS", 0)

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    asked = replace(request("POST", headers={"content-type": "application/json"}), read=Body({"type": "http"}, receive))
    with pytest.raises(Refused) as caught:
        await json_body(asked, LinkCode)
    assert Refusal.BODY_LATE is caught.value.refusal


async def test_signing_out_takes_the_cookie_away() -> None:
    """And nobody's sign-out is no error."""
    rig = Rig()
    browser = Browser(rig)
    await browser.open_link()
    answer = browser.keep(await rig.post("/logout", {}, browser.headers))
    assert (200, {"endSessionUrl": None}, {}) == (answer.status, answer.json, browser.cookies)
    assert not (await rig.call("GET", "/v1/session", headers=browser.headers)).json["signedIn"]
    assert 200 == (await rig.post("/logout", {}, PAGE)).status
    assert 405 == (await rig.call("GET", "/logout")).status


def test_a_session_ends_at_every_replica_and_is_known_to_all() -> None:
    """Nothing is kept in the process, so another one with the key reads it too."""
    site = Site("https://counts.example", 443)
    one, other = (CookieSessions(site, [SESSION_KEY], 60) for _ in range(2))
    caller, (_, cookie) = one.begin("ann", "demo", [READ_SCOPE, "email"], 1_000.5)
    headers = {"cookie": cookie.decode().partition(";")[0]}
    assert caller == other.caller(request(headers=headers, wall_millis=1_059_000))
    assert frozenset({READ_SCOPE}) == caller.scopes
    assert other.caller(request(headers=headers, wall_millis=1_060_000)) is None
    stranger = CookieSessions(site, [b"another key of sessions"], 60)
    assert stranger.caller(request(headers=headers, wall_millis=1_001_000)) is None


def test_a_sign_in_that_has_begun_is_no_session() -> None:
    """Its cookie is sealed with the same secret, for another purpose."""
    site = Site(None, 8090)
    fields = {"sub": "ann", "app": "demo", "scopes": [READ_SCOPE], "csrf": "x"}
    ends = time.time() + 60
    headers = {"host": "127.0.0.1:8090"}
    for purpose, is_session in ((NAME, True), ("login", False)):
        cookie = f"tallymill-session-8090={Seal([SESSION_KEY], purpose).seal(fields, ends)}"
        asked = request(headers={**headers, "cookie": cookie}, wall_millis=1)
        assert is_session == (CookieSessions(site, [SESSION_KEY], 60).caller(asked) is not None)


def test_the_cookie_fits_into_what_browsers_keep() -> None:
    """4 KiB with its attributes, for the longest names there are."""
    _, (_, cookie) = CookieSessions(Site("https://counts.example", 443), [SESSION_KEY], 60).begin(
        "é" * 128, "a" * 64, ALL, time.time()
    )
    assert len(cookie) < 2_000
