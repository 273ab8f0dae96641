"""People sign in at an issuer: the whole way, and each way in which it must fail (OpenID Connect, RFC 7636)."""

import json
import time
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from console.access.notes import failed_page
from console.access.oidc.flow import LOGIN_SECONDS, Client
from console.access.oidc.issuer import OidcIssuer
from console.access.site import Site
from console.metrics import Metrics
from schemas.wire.console_replies import OPERATE_SCOPE, READ_SCOPE
from serving.clock import SystemClock
from serving.tokens.identity import ClaimRules
from tests.console.access.issuer import CLIENT_ID, SECRET, Issuer, new_key
from tests.console.access.people import Browser
from tests.console.rig import Answer, Rig, signing

URL = "https://counts.example"
SCOPES = f"openid {READ_SCOPE} {OPERATE_SCOPE}"


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer().running() as one:
        yield one


def console(issuer: Issuer, secret: str | None = SECRET, rules: ClaimRules | None = None) -> Rig:
    """A console at counts.example whose people sign in at this issuer."""
    client = Client(issuer.url, CLIENT_ID, SecretStr(secret) if secret else None, URL, SCOPES)
    claim_rules = rules or ClaimRules(issuer.url, CLIENT_ID)
    of_people = OidcIssuer(client, claim_rules, SystemClock(), Metrics().tokens)
    return Rig(signing=signing(Site(URL, 8090), issuer=of_people))


def browser_of(rig: Rig) -> Browser:
    return Browser(rig, page={"host": "counts.example", "origin": URL, "sec-fetch-site": "same-origin"})


async def begin(browser: Browser, to: str | None = None) -> Answer:
    query = urlencode({"to": to}) if to is not None else ""
    return browser.keep(await browser.rig.call("GET", "/login", query, {"host": "counts.example"}))


async def come_back(browser: Browser, query: str) -> Answer:
    """By a link of the issuer's site."""
    headers = {**browser.headers, "sec-fetch-site": "cross-site"}
    return browser.keep(await browser.rig.call("GET", "/callback", query, headers))


async def sign_in(browser: Browser, issuer: Issuer, to: str | None = None) -> Answer:
    """The whole way. Returns the last answer."""
    began = await begin(browser, to)
    assert 303 == began.status, began.body
    there = urlsplit(began.headers["location"])
    assert f"{issuer.url}/authorize" == f"{there.scheme}://{there.netloc}{there.path}"
    back = urlsplit(issuer.authorize(dict(parse_qsl(there.query))))
    assert f"{URL}/callback" == f"{back.scheme}://{back.netloc}{back.path}"
    return await come_back(browser, back.query)


async def who(browser: Browser) -> object:
    answer = await browser.rig.call("GET", "/v1/session", headers=browser.headers)
    browser.csrf = answer.json["csrfToken"]
    return answer.json


def refused(answer: Answer, browser: Browser, words: str, status: int = 403) -> bool:
    """Whether a person reads these words, and nobody is signed in."""
    assert status == answer.status, answer.body
    assert words in answer.body.decode(), answer.body
    assert "text/html; charset=utf-8" == answer.headers["content-type"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return browser.cookies == {}


async def test_a_person_signs_in_and_out(issuer: Issuer) -> None:
    """With the cookies that a browser keeps: strict for the session, lax for the way back."""
    rig = console(issuer)
    browser = browser_of(rig)
    began = await begin(browser)
    (cookie,) = began.cookies
    assert cookie.startswith("__Host-tallymill-login=")
    assert cookie.endswith("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure")
    with capture_logs() as lines:
        ended = await sign_in(browser, issuer)
    assert (303, "/") == (ended.status, ended.headers["location"])
    over, session = ended.cookies
    assert "__Host-tallymill-login=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure" == over
    assert session.startswith("__Host-tallymill-session=")
    assert session.endswith("; Path=/; Max-Age=3600; HttpOnly; SameSite=Strict; Secure")
    assert [("signed_in", "ann", "demo")] == [
        (line["event"], line["who"], line["app"]) for line in lines if "who" in line
    ]
    found = await who(browser)
    assert isinstance(found, dict)
    assert (["oidc", "token"], "ann", "demo", sorted([READ_SCOPE, OPERATE_SCOPE])) == tuple(
        found[name] for name in ("signIn", "subject", "app", "scopes")
    )
    assert 200 == (await rig.call("GET", "/v1/system", headers=browser.headers)).status
    out = browser.keep(await rig.post("/logout", {}, browser.headers))
    query = urlencode({"client_id": CLIENT_ID, "post_logout_redirect_uri": f"{URL}/"})
    assert ({"endSessionUrl": f"{issuer.url}/bye?{query}"}, {}) == (out.json, browser.cookies)


async def test_the_code_is_exchanged_with_the_verifier_and_each_sign_in_has_its_own(issuer: Issuer) -> None:
    """State, nonce, challenge: none is used twice."""
    browser = browser_of(console(issuer))
    urls = [(await begin(browser)).headers["location"] for _ in range(2)]
    one, other = (dict(parse_qsl(urlsplit(url).query)) for url in urls)
    for name in ("state", "nonce", "code_challenge"):
        assert one[name] != other[name]
        assert len(one[name]) >= 43
    assert "1" == one["x"], "the endpoint's own query is kept"
    assert 303 == (await sign_in(browser, issuer)).status
    assert len(issuer.forms[0]["code_verifier"]) >= 43
    assert issuer.forms[0]["code_verifier"] not in "".join(urls)


async def test_pkce_without_the_verifier_of_this_browser_fails(issuer: Issuer) -> None:
    """A code that was stolen from another browser is worth nothing in this one."""
    rig = console(issuer)
    victim, thief = browser_of(rig), browser_of(rig)
    there = urlsplit((await begin(victim)).headers["location"])
    stolen = dict(parse_qsl(urlsplit(issuer.authorize(dict(parse_qsl(there.query)))).query))["code"]
    own = dict(parse_qsl(urlsplit((await begin(thief)).headers["location"]).query))
    answer = await come_back(thief, urlencode({"code": stolen, "state": own["state"]}))
    assert refused(answer, thief, "invalid_grant")


@pytest.mark.parametrize("back", [{"state": "x"}, {"state": None}, {"state": ""}, {"state": "é"}])
async def test_a_wrong_state_fails_before_the_issuer_is_asked(issuer: Issuer, back: dict[str, str | None]) -> None:
    """The answer belongs to a sign-in that another browser began: somebody wants this person signed in as another."""
    browser = browser_of(console(issuer))
    issuer.back = back
    assert refused(await sign_in(browser, issuer), browser, "another sign-in")
    assert [] == issuer.forms


async def test_a_sign_in_that_did_not_begin_here_fails(issuer: Issuer) -> None:
    """Without the cookie there is no state to compare with."""
    rig = console(issuer)
    browser = browser_of(rig)
    there = urlsplit((await begin(browser_of(rig))).headers["location"])
    back = urlsplit(issuer.authorize(dict(parse_qsl(there.query))))
    assert refused(await come_back(browser, back.query), browser, "did not begin in this browser")
    assert [] == issuer.forms


async def test_a_sign_in_that_takes_too_long_fails(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the browser keeps the cookie for longer."""
    browser = browser_of(console(issuer))
    there = urlsplit((await begin(browser)).headers["location"])
    back = urlsplit(issuer.authorize(dict(parse_qsl(there.query))))
    later = time.time_ns() + (LOGIN_SECONDS + 1) * 1_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: later)
    assert refused(await come_back(browser, back.query), browser, "took too long")


async def test_a_code_works_once(issuer: Issuer) -> None:
    """The second time the cookie is gone; with a kept cookie the issuer refuses."""
    browser = browser_of(console(issuer))
    there = urlsplit((await begin(browser)).headers["location"])
    kept = dict(browser.cookies)
    back = urlsplit(issuer.authorize(dict(parse_qsl(there.query)))).query
    assert 303 == (await come_back(browser, back)).status
    browser.cookies = {}
    assert refused(await come_back(browser, back), browser, "did not begin in this browser")
    browser.cookies = kept
    assert refused(await come_back(browser, back), browser, "invalid_grant")


WRONG_CLAIMS = [
    ({"nonce": "x"}, "nonce"),
    ({"nonce": None}, "nonce"),
    ({"nonce": 7}, "nonce"),
    ({"aud": "tallymill"}, "aud"),
    ({"aud": None}, "aud"),
    ({"aud": ["other"]}, "aud"),
    ({"aud": [CLIENT_ID, "other"], "azp": "other"}, "azp"),
    ({"iss": "https://evil.example"}, "iss"),
    ({"iss": None}, "iss"),
    ({"exp": 1}, "exp"),
    ({"exp": None}, "exp"),
    ({"nbf": 4_000_000_000}, "nbf"),
    ({"sub": None}, "sub"),
    ({"sub": "a/b"}, "sub"),
    ({"app": None}, "app"),
    ({"app": "a/b"}, "app"),
    ({"scope": 7}, "scope"),
]


@pytest.mark.parametrize(("claims", "named"), WRONG_CLAIMS)
async def test_an_id_token_with_a_wrong_claim_is_refused(issuer: Issuer, claims: dict[str, object], named: str) -> None:
    """By the rule of bearer tokens, with the client as the audience. The log says which claim, and not what it said."""
    browser = browser_of(console(issuer))
    issuer.claims = claims
    with capture_logs() as lines:
        answer = await sign_in(browser, issuer)
    assert refused(answer, browser, f"not accepted: {named}")
    (line,) = lines
    assert ("sign_in_refused", "warning", True) == (line["event"], line["log_level"], named in line["reason"])
    assert "evil" not in json.dumps(line)


@pytest.mark.parametrize(
    "answer", [{"id_token": None}, {"id_token": "x.y.z"}, {"id_token": 7}, {"id_token": "e30.e30."}]
)
async def test_an_answer_without_a_good_id_token_is_refused(issuer: Issuer, answer: dict[str, object]) -> None:
    """`e30` is {}: neither an unsigned token is accepted."""
    browser = browser_of(console(issuer))
    issuer.answer = answer
    assert refused(await sign_in(browser, issuer), browser, "not accepted")


async def test_an_id_token_of_another_key_is_refused_and_a_new_key_is_read(issuer: Issuer) -> None:
    """Under the same id too: issuers rotate keys."""
    browser = browser_of(console(issuer))
    assert 303 == (await sign_in(browser, issuer)).status
    browser.cookies = {}
    issuer.signs_with = new_key()
    assert refused(await sign_in(browser, issuer), browser, "not signed by the issuer")
    rig = console(issuer)
    issuer.key = issuer.signs_with
    assert 303 == (await sign_in(browser_of(rig), issuer)).status


@pytest.mark.parametrize(
    ("claims", "answer", "scopes"),
    [
        ({}, {}, [OPERATE_SCOPE, READ_SCOPE]),
        ({}, {"scope": f"openid {READ_SCOPE}"}, [READ_SCOPE]),
        ({"scope": READ_SCOPE}, {}, [READ_SCOPE]),
        ({"scope": [READ_SCOPE, "email"]}, {}, [READ_SCOPE]),
        ({"scope": ""}, {}, []),
    ],
)
async def test_the_scopes_are_those_of_the_id_token_or_else_those_granted(
    issuer: Issuer, claims: dict[str, object], answer: dict[str, object], scopes: list[str]
) -> None:
    """Never more than an issuer says."""
    browser = browser_of(console(issuer))
    issuer.claims, issuer.answer = claims, answer
    assert 303 == (await sign_in(browser, issuer)).status
    found = await who(browser)
    assert isinstance(found, dict)
    assert scopes == found["scopes"]


async def test_without_any_scope_named_nobody_gets_one(issuer: Issuer) -> None:
    """RFC 6749 lets an issuer leave out scopes that were asked for, but many leave out what they don't know."""
    browser = browser_of(console(issuer))
    issuer.answer = {"scope": None}
    assert refused(await sign_in(browser, issuer), browser, "scope missing")


async def test_the_names_of_claims_are_those_of_bearer_tokens(issuer: Issuer) -> None:
    """One setting for both."""
    browser = browser_of(console(issuer, rules=ClaimRules(issuer.url, CLIENT_ID, "https://x.test/app", "email", "scp")))
    issuer.claims = {"https://x.test/app": "other", "email": "ann@x.test", "scp": [READ_SCOPE], "app": None}
    assert 303 == (await sign_in(browser, issuer)).status
    found = await who(browser)
    assert isinstance(found, dict)
    assert ("other", "ann@x.test", [READ_SCOPE]) == (found["app"], found["subject"], found["scopes"])


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("/", "/"),
        ("/#find=r1.0.7", "/#find=r1.0.7"),
        ("/?a=b", "/?a=b"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.example", "/"),
        ("", "/"),
        ("/a\r\nset-cookie: x=1", "/"),
        ("/é", "/"),
    ],
)
async def test_it_ends_at_a_path_of_this_site(issuer: Issuer, to: str, expected: str) -> None:
    """No open redirect."""
    assert expected == (await sign_in(browser_of(console(issuer)), issuer, to)).headers["location"]


@pytest.mark.parametrize(
    ("back", "words", "status"),
    [
        ({"code": None, "error": "access_denied"}, "refused the sign-in: access_denied", 403),
        ({"error": "<script>alert(1)</script>"}, "no reason given", 403),
        ({"code": None}, "no code", 403),
        ({"code": ""}, "no code", 403),
        ({"iss": "https://evil.example"}, "another issuer", 403),
        ({"code": "x"}, "invalid_grant", 403),
    ],
)
async def test_an_answer_that_is_a_refusal_is_said_to_the_person(
    issuer: Issuer, back: dict[str, str | None], words: str, status: int
) -> None:
    """Nothing of a stranger's text is shown."""
    browser = browser_of(console(issuer))
    issuer.back = back
    answer = await sign_in(browser, issuer)
    assert refused(answer, browser, words, status)
    assert b"<script" not in answer.body


@pytest.mark.parametrize(
    ("query", "words", "status"),
    [
        ("state=a&state=b", "twice", 400),
        ("%ff=1", "not valid", 400),
        ("&".join(f"p{n}=1" for n in range(30)), "not valid", 400),
        ("", "another sign-in", 403),
    ],
)
async def test_a_query_that_is_none_is_refused(issuer: Issuer, query: str, words: str, status: int) -> None:
    """A parameter that stands twice is not the last one's."""
    browser = browser_of(console(issuer))
    await begin(browser)
    assert refused(await come_back(browser, query), browser, words, status)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"issuer": "https://evil.example"}, "names another issuer"),
        ({"issuer": None}, "names another issuer"),
        ({"token_endpoint": None}, "lacks an endpoint"),
        ({"jwks_uri": 7}, "lacks an endpoint"),
        ({"token_endpoint": "http://evil.example/token"}, "https://"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "URL"),
    ],
)
async def test_a_discovery_document_that_is_wrong_is_refused(
    issuer: Issuer, document: dict[str, object], words: str
) -> None:
    """Codes and secrets are sent where it says."""
    browser = browser_of(console(issuer))
    issuer.document = document
    assert refused(await begin(browser), browser, words, 502)


async def test_the_secret_is_sent_as_the_issuer_takes_it(issuer: Issuer) -> None:
    """By Basic authentication unless it says otherwise; a public client sends none."""
    assert 303 == (await sign_in(browser_of(console(issuer)), issuer)).status
    issuer.document = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert 303 == (await sign_in(browser_of(console(issuer)), issuer)).status
    assert [False, True] == ["client_secret" in form for form in issuer.forms]
    browser = browser_of(console(issuer, secret=None))
    assert refused(await sign_in(browser, issuer), browser, "invalid_client")
    assert "client_secret" not in issuer.forms[-1]


async def test_an_issuer_that_is_away_is_said_to_be(issuer: Issuer) -> None:
    """A running console goes on: sessions need no issuer."""
    rig = console(issuer)
    browser = browser_of(rig)
    issuer.fails_with = 500
    assert refused(await sign_in(browser, issuer), browser, "server_error", 502)
    away = Issuer(url="http://127.0.0.1:1")
    other = browser_of(console(away))
    with capture_logs() as lines:
        for _ in range(3):
            assert refused(await begin(other), other, "connection refused", 502)
    (line,) = lines
    assert ("issuer_lost", "warning") == (line["event"], line["log_level"])
    assert "connection refused" in line["reason"]
    browser.sign_in([READ_SCOPE])
    assert 200 == (await rig.call("GET", "/v1/system", headers=browser.headers)).status


def test_a_reason_is_shown_as_text() -> None:
    """Whatever it holds."""
    assert b"<p>&lt;b&gt; &amp; &quot;.</p>" in failed_page('<b> & "', 403).body


async def test_where_people_sign_in_at_an_issuer_no_link_opens(issuer: Issuer) -> None:
    """Nobody gets in without it."""
    browser = browser_of(console(issuer))
    answer = await browser.open_link()
    assert (403, {}) == (answer.status, browser.cookies)


async def test_the_discovery_document_and_the_keys_are_read_once(issuer: Issuer) -> None:
    """Not at each sign-in."""
    rig = console(issuer)
    for _ in range(3):
        assert 303 == (await sign_in(browser_of(rig), issuer)).status
    assert ["/.well-known/openid-configuration", "/token", "/keys", "/token", "/token"] == issuer.asked
