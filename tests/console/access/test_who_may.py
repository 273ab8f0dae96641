"""Who may do what: each route with each scope, by a bearer token and by a session alike (Q2)."""

from collections.abc import Mapping

import pytest

from console.access.files import page_files
from schemas.openapi.console_routes import CONSOLE_ROUTES
from schemas.wire.console_replies import OPERATE_SCOPE, READ_SCOPE
from schemas.wire.refusals import REFUSALS_SCOPE
from serving.docs_page.page import ASSETS
from tests.console.access.people import PAGE, Browser, bearer
from tests.console.rig import DAY, MIDNIGHT, Answer, Rig

READ, REFUSALS, OPERATE = READ_SCOPE, REFUSALS_SCOPE, OPERATE_SCOPE
SCOPES = (READ, REFUSALS, OPERATE)
RANGE = f"source=games&from={MIDNIGHT}&to={MIDNIGHT + DAY}"
REDRIVE = "POST /v1/dead-letters/redrive"

# What each route needs: all of these scopes. A good request of each.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "GET /v1/counts": (READ,),
    "GET /v1/events": (READ,),
    "GET /v1/system": (READ,),
    "GET /v1/apps": (READ,),
    "GET /v1/definitions": (READ,),
    "GET /v1/refusals": (REFUSALS,),
    "GET /v1/dead-letters": (REFUSALS,),
    "GET /v1/players/{player}": (READ,),
    "GET /v1/requests/{requestId}": (READ,),
    "GET /v1/receipts/{receipt}": (READ,),
    f"{REDRIVE} (dry run)": (REFUSALS,),
    REDRIVE: (REFUSALS, OPERATE),
}
QUERIES = {"GET /v1/counts": RANGE, "GET /v1/events": "actor=ann", "GET /v1/requests/{requestId}": "player=ann"}
# The store has nothing that a value names.
VALUES = {"{player}": "ann", "{requestId}": "7", "{receipt}": "x"}
BODIES: Mapping[str, object] = {
    f"{REDRIVE} (dry run)": {"ids": ["r1/00/7"]},
    REDRIVE: {"ids": ["r1/00/7"], "dryRun": False, "confirm": "redrive nothing"},
}
# These need no scope: they hold no data, or say only who asks.
FOR_ALL = ("GET /v1/session", "POST /v1/session", "POST /logout", "GET /openapi.json", "GET /docs")
PROBES = ("GET /livez", "GET /readyz", "GET /metrics")


async def ask(rig: Rig, route: str, headers: Mapping[str, str]) -> Answer:
    method, path = route.partition(" (")[0].split()
    if method == "POST":
        return await rig.post(path, BODIES[route], headers)
    for name, value in VALUES.items():
        path = path.replace(name, value)
    return await rig.call(method, path, QUERIES.get(route, ""), headers)


def test_the_table_has_every_route() -> None:
    """A new one says what it needs."""
    stated = {route.partition(" (")[0] for route in NEEDS} | set(FOR_ALL) | set(PROBES)
    assert {f"{route.method.upper()} {route.path}" for route in CONSOLE_ROUTES} == stated
    app = Rig().app
    served = {f"GET {path}" for path in app._endpoints.keys() - page_files().keys() - {ASSETS}}
    assert served | {f"POST {path}" for path in app._writes} == stated


@pytest.mark.parametrize("route", NEEDS)
@pytest.mark.parametrize("scopes", [(), *((one,) for one in SCOPES), SCOPES, (READ, OPERATE), (REFUSALS, OPERATE)])
async def test_q2_a_route_needs_its_scopes_and_no_others(route: str, scopes: tuple[str, ...]) -> None:
    """The same for a token and for a session. The challenge names the first scope that is missing."""
    rig = Rig()
    browser = Browser(rig)
    browser.sign_in(scopes)
    lacking = [scope for scope in NEEDS[route] if scope not in scopes]
    for headers in (bearer(scopes), browser.headers):
        answer = await ask(rig, route, headers)
        if lacking:
            assert (403, True) == (answer.status, lacking[0] in answer.headers["www-authenticate"])
        else:
            assert (404 if route.endswith("}") else 200) == answer.status, answer.body


@pytest.mark.parametrize("route", NEEDS)
@pytest.mark.parametrize("headers", [{}, PAGE, {**PAGE, "cookie": "tallymill-session-8090=x"}])
async def test_q2_nobody_is_401_everywhere(route: str, headers: dict[str, str]) -> None:
    """Neither token nor session, or none that is valid."""
    answer = await ask(Rig(), route, headers)
    assert (401, 'Bearer realm="tallymill"') == (answer.status, answer.headers["www-authenticate"])


@pytest.mark.parametrize("route", NEEDS)
async def test_q2_a_wrong_token_counts_before_a_session(route: str) -> None:
    """It was sent on purpose: what it names must not be done as somebody else."""
    rig = Rig()
    browser = Browser(rig)
    browser.sign_in(SCOPES)
    answer = await ask(rig, route, {**browser.headers, "authorization": "Bearer x.y.z"})
    assert (401, True) == (answer.status, "invalid_token" in answer.headers["www-authenticate"])


@pytest.mark.parametrize("route", NEEDS)
@pytest.mark.parametrize(
    "changed", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"host": "evil.example"}]
)
async def test_a_session_is_nothing_to_another_sites_page(route: str, changed: dict[str, str]) -> None:
    """A browser that sends its cookie all the same: another port of this host is the same site."""
    rig = Rig()
    browser = Browser(rig)
    browser.sign_in(SCOPES)
    assert 401 == (await ask(rig, route, {**browser.headers, **changed})).status


WRITES = [route for route in NEEDS if route.startswith("POST")]


@pytest.mark.parametrize("route", [*WRITES, "POST /logout"])
@pytest.mark.parametrize(
    "changed",
    [
        {"x-csrf-token": None},
        {"x-csrf-token": ""},
        {"x-csrf-token": "x"},
        {"origin": None},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8091"},
        {"origin": "http://evil.example"},
    ],
)
async def test_a_session_writes_only_from_its_page(route: str, changed: dict[str, str | None]) -> None:
    """Another site's page can't know the token, and can't lie about its origin."""
    rig = Rig()
    browser = Browser(rig)
    browser.sign_in(SCOPES)
    headers = {name: value for name, value in (browser.headers | changed).items() if value is not None}
    answer = await rig.post("/logout", {}, headers) if route == "POST /logout" else await ask(rig, route, headers)
    assert (403, "page") == (answer.status, "page" if "own page" in answer.json["error"]["message"] else "")
    assert () == tuple(answer.cookies)
    assert [] == rig.redriver.done


async def test_the_csrf_token_of_another_session_is_wrong() -> None:
    """Each session has its own."""
    rig = Rig()
    one, other = Browser(rig), Browser(rig)
    one.sign_in(SCOPES)
    other.sign_in(SCOPES)
    assert one.csrf != other.csrf
    one.csrf = other.csrf
    assert 403 == (await ask(rig, WRITES[0], one.headers)).status


@pytest.mark.parametrize("route", WRITES)
async def test_a_bearer_token_writes_from_anywhere(route: str) -> None:
    """No page sends it by itself, so it needs neither an origin nor a CSRF token."""
    assert 200 == (await ask(Rig(), route, bearer(SCOPES))).status


async def test_without_keys_a_cookie_is_nothing() -> None:
    """A console that others reach without TLS takes bearer tokens only."""
    with_sessions = Rig()
    browser = Browser(with_sessions)
    browser.sign_in(SCOPES)
    rig = Rig(signing=None)
    assert 401 == (await ask(rig, "GET /v1/counts", browser.headers)).status
    assert 200 == (await ask(rig, "GET /v1/counts", bearer(SCOPES))).status
    for path in ("/login", "/callback", "/logout"):
        assert 404 == (await rig.call("GET", path)).status
    assert {"signedIn": False, "signIn": ["token"]} == {
        name: value for name, value in (await rig.call("GET", "/v1/session")).json.items() if value not in (None, [])
    }
