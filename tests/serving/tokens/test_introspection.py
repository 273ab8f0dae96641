"""Tokens checked by the issuer (RFC 7662): once each, not too often, and never refused because it is unavailable."""

import asyncio
import base64
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

import pytest
from aiohttp import web
from pydantic import SecretStr
from structlog.testing import capture_logs

from ingress.auth.authenticator import Authenticator
from ingress.auth.sessions import token_check
from ingress.config import TokenSettings
from ingress.http.metrics import Metrics
from schemas.errors.table import Refusal
from serving.refused import Refused
from serving.tokens.identity import ClaimRules, Identity
from serving.tokens.introspection import (
    MAX_ANSWER_BYTES,
    NOT_ACTIVE_SECONDS,
    EndpointSettings,
    IntrospectedTokens,
    IntrospectionEndpoint,
)
from tests.clock import TestClock
from tests.ingress.rig import AUDIENCE, GAMES, ISSUER, NOW, RULES, claims
from tests.patience import PATIENCE_SECONDS
from tests.serving.tokens.issuer import Issuer, active, issuer, not_active, until

NOW_SECONDS = NOW / 1000
CACHE_SECONDS = 60
CONNECTIONS = 2
CLIENT_ID, CLIENT_SECRET = "tally mill", "hidden: word/of+odd"


class Checks:
    """Tokens checked by asking an issuer."""

    def __init__(self, url: str, rules: ClaimRules = RULES) -> None:
        self.metrics = Metrics()
        self.metrics.tokens.declare(by_keys=False)
        settings = EndpointSettings(url, CLIENT_ID, SecretStr(CLIENT_SECRET), PATIENCE_SECONDS, CONNECTIONS)
        self.endpoint = IntrospectionEndpoint(settings, TestClock(), self.metrics.tokens)
        self.tokens = IntrospectedTokens(rules, self.endpoint, CACHE_SECONDS)
        self.authenticator = Authenticator(self.tokens)

    async def identity(self, text: str = "opaque", now_seconds: float = NOW_SECONDS) -> Identity:
        return await self.authenticator.identify(text, now_seconds)

    async def refusal(self, text: str = "opaque", now_seconds: float = NOW_SECONDS) -> Refusal:
        with pytest.raises(Refused) as caught:
            await self.identity(text, now_seconds)
        return caught.value.refusal

    def asked(self, outcome: str) -> float | None:
        return self.metrics.registry.get_sample_value(
            "tallymill_ingress_introspection_seconds_count", {"outcome": outcome}
        )


@pytest.fixture
async def source() -> AsyncIterator[Issuer]:
    """Every token is active, and good."""
    async with issuer() as one:
        one.answer = active
        yield one


@pytest.fixture
async def checks(source: Issuer) -> AsyncIterator[Checks]:
    """Open, as while its keeper runs."""
    one = Checks(source.introspection_url)
    async with one.endpoint.open():
        yield one


def saying(**changed: object) -> Callable[[str], web.StreamResponse]:
    return lambda _token: web.json_response({"active": True} | claims(**changed))


async def test_b6_an_active_token_speaks_for_whom_its_claims_name(source: Issuer, checks: Checks) -> None:
    """Asked by POST, with our name and secret (client_secret_basic)."""
    expected = Identity("demo", "ann", frozenset((GAMES,)), NOW // 1000 + 3600)
    assert expected == await checks.identity()
    assert ["opaque"] == source.asked
    scheme, _, login = (source.logins[0] or "").partition(" ")
    assert ("Basic", b"tally+mill:hidden%3A+word%2Fof%2Bodd") == (scheme, base64.b64decode(login))


async def test_b6_a_token_that_is_not_active_is_401(source: Issuer, checks: Checks) -> None:
    """Whatever else the answer has. It is cached for a short time."""
    source.answer = lambda _token: web.json_response({"active": False} | claims())
    for later in (0, NOT_ACTIVE_SECONDS - 1):
        assert Refusal.UNAUTHENTICATED == await checks.refusal(now_seconds=NOW_SECONDS + later)
    assert 1 == len(source.asked)
    source.answer = active
    assert "ann" == (await checks.identity(now_seconds=NOW_SECONDS + NOT_ACTIVE_SECONDS)).player


@pytest.mark.parametrize("missing", ["iss", "aud", "exp", "sub", "app", "scope"])
async def test_b6_the_answers_claims_are_checked_like_a_jwts(source: Issuer, checks: Checks, missing: str) -> None:
    """RFC 7662 makes them optional. tallymill requires them, unless a setting allows less."""
    source.answer = saying(**{missing: None})
    assert Refusal.UNAUTHENTICATED == await checks.refusal()


async def test_partial_answers_are_taken_only_where_the_settings_say_so(source: Issuer) -> None:
    """The claims that are there must still be right."""
    one = Checks(source.introspection_url, replace(RULES, partial=True))
    source.answer = saying(iss=None, aud=None, exp=None)
    async with one.endpoint.open():
        assert math.inf == (await one.identity()).expires_seconds
        source.answer = saying(aud="other")
        assert Refusal.UNAUTHENTICATED == await one.refusal("another")


async def test_an_answer_is_believed_for_the_cache_seconds_and_then_asked_again(source: Issuer, checks: Checks) -> None:
    """So long a withdrawn token still works, and no longer."""
    await checks.identity()
    source.answer = not_active
    await checks.identity(now_seconds=NOW_SECONDS + CACHE_SECONDS - 1)
    assert 1 == len(source.asked)
    assert Refusal.UNAUTHENTICATED == await checks.refusal(now_seconds=NOW_SECONDS + CACHE_SECONDS)
    assert Refusal.UNAUTHENTICATED == await checks.refusal(now_seconds=NOW_SECONDS + CACHE_SECONDS)
    assert 2 == len(source.asked)


async def test_g21_a_token_ends_when_it_says_though_the_answer_is_young(source: Issuer, checks: Checks) -> None:
    """401, without asking the issuer."""
    source.answer = saying(exp=NOW // 1000 + 10)
    await checks.identity(now_seconds=NOW_SECONDS + 9)
    assert Refusal.UNAUTHENTICATED == await checks.refusal(now_seconds=NOW_SECONDS + 10)
    assert 1 == len(source.asked)


async def test_a_known_token_costs_no_question_and_no_turn_of_the_loop(source: Issuer, checks: Checks) -> None:
    """The hot path: the coroutine ends at its first step."""
    first = await checks.identity()
    with pytest.raises(StopIteration) as done:
        checks.identity().send(None)
    assert first is done.value.value
    assert 1 == len(source.asked)


async def test_one_question_serves_all_who_wait_for_the_same_token(source: Issuer, checks: Checks) -> None:
    """If one of them leaves, the others still get the answer."""
    source.gate.clear()
    asking = [asyncio.create_task(checks.identity()) for _ in range(50)]
    await until(lambda: len(source.asked) == 1)
    asking.pop(0).cancel()
    source.gate.set()
    assert {"ann"} == {one.player for one in await asyncio.gather(*asking)}
    assert 1 == len(source.asked)


async def test_questions_at_a_time_are_bounded(source: Issuer, checks: Checks, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the connections. Beyond the queue: 503."""
    source.gate.clear()
    asking = [asyncio.create_task(checks.identity(f"t{n}")) for n in range(10)]
    await until(lambda: source.running == CONNECTIONS)
    monkeypatch.setattr("serving.tokens.introspection.MAX_WAITING", 10)
    assert Refusal.TOKEN_UNCHECKED == await checks.refusal("one-more")
    source.gate.set()
    await asyncio.gather(*asking)
    assert CONNECTIONS == source.most_running


def redirect(_token: str) -> web.StreamResponse:
    return web.Response(status=307, headers={"location": "/introspect"})


def text(body: str, status: int = 200) -> Callable[[str], web.StreamResponse]:
    return lambda _token: web.Response(text=body, status=status)


@pytest.mark.parametrize(
    "answer",
    [
        text("", 401),
        text('{"active": true}', 500),
        redirect,
        text(""),
        text("not JSON: hidden-word"),
        text("[]"),
        text("{}"),
        text('{"active": "true"}'),
        text('{"active": 1}'),
        text("[" * 50_000),
        text('{"active": true, "x": "' + "x" * MAX_ANSWER_BYTES + '"}'),
    ],
    ids=["401", "500", "redirect", "empty", "no JSON", "list", "no active", "text", "number", "deep", "large"],
)
async def test_what_is_no_answer_is_503_and_never_401(
    source: Issuer, checks: Checks, answer: Callable[[str], web.StreamResponse]
) -> None:
    """Also if tallymill's secret is refused: the token may be good. Each request asks again; the log has one line."""
    source.answer = answer
    with capture_logs() as logs:
        for _ in range(2):
            assert Refusal.TOKEN_UNCHECKED == await checks.refusal()
    assert ["introspection_lost"] == [line["event"] for line in logs]
    assert "hidden" not in str(logs)
    assert (2, 2) == (len(source.asked), checks.asked("failed"))
    source.answer = active
    assert "ann" == (await checks.identity()).player


async def test_an_endpoint_that_is_away_is_503_but_for_whom_it_has_answered(source: Issuer, checks: Checks) -> None:
    """A cached answer holds as long as it would have."""
    await checks.identity("known")
    source.away = True
    assert "ann" == (await checks.identity("known", NOW_SECONDS + CACHE_SECONDS - 1)).player
    assert Refusal.TOKEN_UNCHECKED == await checks.refusal("known", NOW_SECONDS + CACHE_SECONDS)
    assert Refusal.TOKEN_UNCHECKED == await checks.refusal("new")


async def test_an_endpoint_that_is_silent_is_503_within_the_timeout(source: Issuer) -> None:
    """The wait for a connection is in it."""
    one = Checks(source.introspection_url)
    one.endpoint._settings = replace(one.endpoint._settings, timeout_seconds=0.05)
    source.gate.clear()
    async with one.endpoint.open():
        refusals = await asyncio.gather(*(one.refusal(f"t{n}") for n in range(2 * CONNECTIONS)))
    assert {Refusal.TOKEN_UNCHECKED} == set(refusals)


async def test_made_up_tokens_push_no_good_one_out(source: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two caches are apart, and both are bounded."""
    monkeypatch.setattr("serving.tokens.introspection.MAX_REMEMBERED_TOKENS", 3)
    one = Checks(source.introspection_url)
    source.answer = lambda token: active(token) if token == "good" else not_active(token)
    async with one.endpoint.open():
        await one.identity("good")
        for n in range(20):
            await one.refusal(f"bad{n}")
        asked = len(source.asked)
        await one.identity("good")
    assert asked == len(source.asked)
    assert 3 == len(one.tokens._not_active)


@pytest.mark.parametrize("text", ["a b", "ü", "a\x00", "=", "x" * 9000])
async def test_the_issuer_is_asked_about_tokens_alone(source: Issuer, checks: Checks, text: str) -> None:
    """RFC 6750's characters, and not endless."""
    assert Refusal.UNAUTHENTICATED == await checks.refusal(text)
    assert [] == source.asked


async def test_questions_are_counted_by_outcome(source: Issuer, checks: Checks) -> None:
    """With their times."""
    await checks.identity("a")
    source.answer = not_active
    await checks.refusal("b")
    source.away = True
    await checks.refusal("c")
    assert (1, 1, 1) == tuple(checks.asked(outcome) for outcome in ("active", "not_active", "failed"))


async def test_the_settings_make_a_check_by_introspection(source: Issuer) -> None:
    """As the process puts it together; ready while its keeper runs."""
    settings = TokenSettings.model_validate(
        {
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "introspection_url": source.introspection_url,
            "introspection_client_id": "id",
            "introspection_client_secret": "secret",
            "introspection_partial": True,
            "scope_claim": "scp",
        }
    )
    source.answer = saying(iss=None, scp=["a"])
    tokens = token_check(settings, None, TestClock(), Metrics())
    assert not tokens.ready
    with pytest.raises(Refused) as caught:
        await Authenticator(tokens).identify("x", NOW_SECONDS)
    assert Refusal.TOKEN_UNCHECKED == caught.value.refusal
    keeping = asyncio.create_task(tokens.keep())
    try:
        await until(lambda: tokens.ready)
        assert frozenset("a") == (await tokens.identity("x", NOW_SECONDS)).scopes
        assert "Basic aWQ6c2VjcmV0" == source.logins[0]
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    assert not tokens.ready


@dataclass
class Hangup:
    """A server that keeps connections, answers so many requests on each, and ends it at the next without a word."""

    answers: int
    url: str = ""
    connections: int = 0
    requests: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        body = json.dumps({"active": True} | claims()).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            for answered in range(self.answers + 1):
                asked = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in asked.lower().splitlines() if line.startswith(b"content-length:"))
                await reader.readexactly(int(length.partition(b":")[2]))
                self.requests += 1
                if answered < self.answers:
                    writer.write(head + body)
        writer.close()


@asynccontextmanager
async def hanging_up(answers: int) -> AsyncIterator[Hangup]:
    one = Hangup(answers)
    server = await asyncio.start_server(one.talk, "127.0.0.1", 0)
    async with server:
        one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        yield one


async def test_a_question_on_a_kept_connection_that_ends_is_asked_once_more() -> None:
    """Asking changes nothing at the issuer, and the client's token is as good as before."""
    async with hanging_up(answers=1) as source:
        one = Checks(source.url)
        async with one.endpoint.open():
            for text in ("a", "b", "c"):
                assert "ann" == (await one.identity(text)).player
        assert (3, 5) == (source.connections, source.requests)
        assert (3, 0) == (one.asked("active"), one.asked("failed"))


async def test_a_question_on_a_new_connection_that_ends_is_not_repeated() -> None:
    """Then the endpoint is not well: 503, and no second load on it."""
    async with hanging_up(answers=0) as source:
        one = Checks(source.url)
        async with one.endpoint.open():
            assert Refusal.TOKEN_UNCHECKED == await one.refusal()
        assert (1, 1) == (source.connections, source.requests)
