"""The issuer's keys: where they are read from, when again, and that they are kept when their source is gone."""

import asyncio
import json
import math
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from ingress.auth.authenticator import Authenticator
from ingress.auth.sessions import token_check
from ingress.config import TokenSettings
from ingress.http.metrics import Metrics
from schemas.errors.table import Refusal
from serving.refused import Refused
from serving.tokens.identity import Unchecked
from serving.tokens.key_sets import MAX_JWKS_BYTES, NoKeys, label, read_keys
from serving.tokens.keys import IssuerKeys
from serving.tokens.signed import SignedTokens
from tests.clock import TestClock
from tests.ingress.rig import AUDIENCE, ISSUER, NOW, RULES, claims, issuer_key, public_keys
from tests.serving.tokens.issuer import Issuer, issuer, key, keys_text, until

NOW_SECONDS = NOW / 1000
COOLDOWN_SECONDS = 10


@pytest.fixture
async def source() -> AsyncIterator[Issuer]:
    """An issuer with the key k1."""
    async with issuer() as one:
        yield one


class Checks:
    """Tokens checked with the keys of an issuer, and a clock that can be moved."""

    def __init__(self, url: str) -> None:
        self.clock = TestClock()
        self.metrics = Metrics()
        self.keys = IssuerKeys(url, COOLDOWN_SECONDS, self.clock, self.metrics.tokens)
        self.authenticator = Authenticator(SignedTokens(RULES, self.keys, 300))

    async def player(self, text: str) -> str:
        return (await self.authenticator.identify(text, NOW_SECONDS)).player

    async def refusal(self, text: str) -> Refusal:
        with pytest.raises(Refused) as caught:
            await self.player(text)
        return caught.value.refusal

    def reads(self, outcome: str) -> float | None:
        return self.metrics.registry.get_sample_value("tallymill_ingress_key_reads_total", {"outcome": outcome})


@pytest.fixture
async def checks(source: Issuer) -> Checks:
    """Its keys have been read once."""
    one = Checks(source.jwks_url)
    await one.keys.read()
    return one


def signed(by: OKPKey, **changed: object) -> str:
    return jwt.encode({"alg": "Ed25519", "kid": by.kid}, claims(**changed), by, algorithms=["Ed25519"])


async def test_keys_are_read_from_a_file_a_url_or_the_text_itself(source: Issuer, tmp_path: Path) -> None:
    """Three ways to one set."""
    file = tmp_path / "jwks.json"
    file.write_text(source.jwks)
    for where in (str(file), source.jwks_url, source.jwks):
        assert ["k1"] == [one.kid for one in (await read_keys(where)).keys]


async def test_a_set_that_comes_in_pieces_is_one_set(source: Issuer) -> None:
    """A read of aiohttp ends with the piece that has come."""
    large = [key(f"k{n}").as_dict(private=False) | {"x-pad": "x" * 2000} for n in range(100)]
    source.jwks = json.dumps({"keys": large})
    assert 100 == len((await read_keys(source.jwks_url)).keys)


async def test_a_source_that_fails_or_sends_too_much_is_no_source(source: Issuer) -> None:
    """The reason is logged, without password and query of its URL."""
    with pytest.raises(NoKeys, match="HTTP 404") as caught:
        await read_keys(source.url.replace("//", "//user:hidden-word@") + "/nothing?token=hidden-word")
    assert "hidden-word" not in str(caught.value)
    source.jwks = " " * (MAX_JWKS_BYTES + 1)
    with pytest.raises(NoKeys, match="larger than"):
        await read_keys(source.jwks_url)


@pytest.mark.parametrize("wrong", ["pipe", "/dev/zero", ".", "disk"])
async def test_a_path_that_is_no_file_of_keys_is_no_source(tmp_path: Path, wrong: str) -> None:
    """It neither blocks a thread for ever nor fills the memory."""
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "disk").open("wb") as disk:
        disk.truncate(MAX_JWKS_BYTES + 1)
    with pytest.raises(NoKeys, match=r"^tokens\.jwks: .* is (a folder, not|not a regular|larger than 1 MiB)"):
        await read_keys(str(tmp_path / wrong))


async def test_a_source_that_is_silent_is_given_up(source: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the time-out."""
    monkeypatch.setattr("serving.tokens.key_sets.FETCH_TIMEOUT_SECONDS", 0.05)
    source.gate.clear()
    with pytest.raises(NoKeys, match="no answer in time"):
        await read_keys(source.jwks_url)


async def test_an_address_nobody_listens_at_is_named_with_the_reason() -> None:
    """Not with a page of aiohttp."""
    with pytest.raises(NoKeys, match="not connected"):
        await read_keys("http://127.0.0.1:1/jwks")


DEEP = '{"keys":' + "[" * 100_000


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"keys": []}', '{"keys": [{"kty": "OKP"}]}', '{"keys": 7}', '{"keys": ["x"]}', "\xff", DEEP],
)
async def test_what_is_no_key_set_is_refused_with_a_reason(tmp_path: Path, text: str) -> None:
    """The source is named."""
    file = tmp_path / "jwks.json"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(NoKeys, match=r"jwks\.json"):
        await read_keys(str(file))


async def test_a_set_of_symmetric_keys_holds_no_key_for_us() -> None:
    """Nor does one for encryption."""
    entries = [OctKey.generate_key(256).as_dict(private=True), key("k").as_dict(private=False) | {"use": "enc"}]
    with pytest.raises(NoKeys, match="no public key"):
        await read_keys(json.dumps({"keys": entries}))


async def test_a_key_that_is_not_understood_does_not_spoil_the_set() -> None:
    """RFC 7517, section 5: an issuer that adds a new kind of key must not end the old ones."""
    odd: list[object] = [{"kty": "AKP"}, {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"}, {"kty": "RSA"}, 7, None]
    good = ECKey.generate_key("P-256", {"kid": "good"}).as_dict(private=False)
    found = await read_keys(json.dumps({"keys": [*odd, good]}))
    assert ["good"] == [one.kid for one in found.keys]


def test_a_source_is_told_without_its_secrets() -> None:
    """Logs have it."""
    assert "https://issuer.test:8443/jwks" == label("https://u:p@issuer.test:8443/jwks?key=x#y")
    assert ("tokens.jwks", "/etc/jwks.json") == (label('{"keys": []}'), label("/etc/jwks.json"))


async def test_b6_an_unknown_key_makes_one_read_for_all_who_wait(source: Issuer, checks: Checks) -> None:
    """A key the issuer has just begun to use works at once, for a hundred tokens and one question."""
    new = key("k2")
    source.publish(new)
    source.gate.clear()
    asking = [asyncio.create_task(checks.player(signed(new, jti=str(n)))) for n in range(100)]
    await until(lambda: len(source.asked) == 2)
    source.gate.set()
    assert ["ann"] * 100 == await asyncio.gather(*asking)
    assert ["keys"] * 2 == source.asked


async def test_a_new_key_under_an_old_id_works_at_once(source: Issuer, checks: Checks) -> None:
    """Its first tokens make one read together; what neither key has signed makes no other within the cool-down."""
    renewed, stranger = key("k1"), key("k1")
    source.publish(renewed)
    texts = [signed(renewed, jti=str(n)) for n in range(20)]
    assert ["ann"] * 20 == await asyncio.gather(*map(checks.player, texts))
    assert ["keys"] * 2 == source.asked
    for _ in range(3):
        assert Refusal.UNAUTHENTICATED == await checks.refusal(signed(stranger))
    assert 2 == len(source.asked)
    checks.clock.skipped_seconds = COOLDOWN_SECONDS
    assert Refusal.UNAUTHENTICATED == await checks.refusal(signed(stranger))
    assert 3 == len(source.asked)


async def test_while_the_keys_cannot_be_read_a_signature_that_fits_none_is_unchecked(
    source: Issuer, checks: Checks
) -> None:
    """It may be of a new key with the old id. Tokens of the known key stay good."""
    source.away = True
    assert Refusal.TOKEN_UNCHECKED == await checks.refusal(signed(key("k1")))
    assert "ann" == await checks.player(signed(issuer_key()))


async def test_b6_a_stranger_cannot_make_us_hammer_the_issuer(source: Issuer, checks: Checks) -> None:
    """One read in the cool-down, however many names he makes up, one after the other or at once."""
    made_up = [signed(key(f"x{n}")) for n in range(20)]
    refusals = [await checks.refusal(text) for text in made_up]
    refusals += await asyncio.gather(*(checks.refusal(text) for text in made_up))
    assert {Refusal.UNAUTHENTICATED} == set(refusals)
    assert 2 == len(source.asked)
    checks.clock.skipped_seconds = COOLDOWN_SECONDS
    await asyncio.gather(*(checks.refusal(text) for text in made_up))
    assert 3 == len(source.asked)


async def test_a_read_that_had_begun_before_is_not_the_last_word(source: Issuer, checks: Checks) -> None:
    """It may have been answered before the key was published: another one follows."""
    new = key("k2")
    source.gate.clear()
    old_set = asyncio.create_task(checks.keys.read())
    await until(lambda: len(source.asked) == 2)
    asking = asyncio.create_task(checks.player(signed(new)))
    await asyncio.sleep(0)
    source.gate.set()
    await old_set
    source.publish(new)
    assert "ann" == await asking
    assert 3 == len(source.asked)


async def test_b6_a_token_without_a_key_name_or_past_or_of_another_issuer_makes_no_read(
    source: Issuer, checks: Checks
) -> None:
    """What can be refused without the issuer is."""
    stranger = key("x")
    texts = [signed(stranger, exp=1), signed(stranger, iss="https://other.test")]
    texts.append(jwt.encode({"alg": "Ed25519"}, claims(), stranger, algorithms=["Ed25519"]))
    for text in texts:
        assert Refusal.UNAUTHENTICATED == await checks.refusal(text)
    assert 1 == len(source.asked)


async def test_the_last_good_set_survives_an_outage_of_its_source(source: Issuer, checks: Checks) -> None:
    """Tokens stay good. A token with an unknown key can't be checked now: 503, never 401.

    The log has one line when the source fails, and one when it works again.
    """
    known = signed(issuer_key())
    new = key("k2")
    source.away = True
    with capture_logs() as logs:
        await checks.keys.read()
        assert "ann" == await checks.player(known)
        for _ in range(2):
            assert Refusal.TOKEN_UNCHECKED == await checks.refusal(signed(new))
        assert (1, 2) == (checks.reads("read"), checks.reads("failed"))
        source.away = False
        source.publish(new)
        checks.clock.skipped_seconds = COOLDOWN_SECONDS
        assert "ann" == await checks.player(signed(new))
    assert ["keys_not_read", "keys_read", "keys_read_again"] == [line["event"] for line in logs]


async def test_b6_a_withdrawn_key_stops_working_with_the_next_read(source: Issuer, checks: Checks) -> None:
    """Also for a token that is remembered."""
    old, new = key("k1"), key("k2")
    source.publish(old, new)
    await checks.keys.read()
    assert "ann" == await checks.player(signed(old))
    source.publish(new)
    await checks.keys.read()
    assert Refusal.UNAUTHENTICATED == await checks.refusal(signed(old))
    assert "ann" == await checks.player(signed(new))


async def test_a_header_with_a_chain_of_certificates_is_read(checks: Checks) -> None:
    """x5c (RFC 7515, section 4.1.6) makes a header of some kilobytes."""
    by = issuer_key()
    text = jwt.encode({"alg": "Ed25519", "kid": by.kid, "x5c": ["A" * 3_000]}, claims(), by, algorithms=["Ed25519"])
    assert "ann" == await checks.player(text)


async def test_a_request_that_is_given_up_does_not_end_the_read_of_the_others(source: Issuer) -> None:
    keys = IssuerKeys(source.jwks_url, COOLDOWN_SECONDS, TestClock(), Metrics().tokens)
    source.gate.clear()
    first, second = (asyncio.create_task(keys.read()) for _ in range(2))
    await until(lambda: source.asked == ["keys"])
    first.cancel()
    await asyncio.sleep(0)
    source.gate.set()
    await second
    assert keys.ready
    assert ["keys"] == source.asked


async def test_the_age_of_the_keys_is_that_of_the_last_good_read(source: Issuer, checks: Checks) -> None:
    """What an alarm is made of."""
    assert math.isnan(IssuerKeys("x", 10, checks.clock, checks.metrics.tokens).age_seconds())
    checks.clock.skipped_seconds = 1000
    source.away = True
    await checks.keys.read()
    assert 1000 == checks.keys.age_seconds()
    source.away = False
    await checks.keys.read()
    assert 0 == checks.keys.age_seconds()


async def test_a_changed_file_is_picked_up_in_the_background(tmp_path: Path) -> None:
    """Static keys are rotated by writing the file; while it is missing the last good set is used."""
    file, metrics = tmp_path / "jwks.json", Metrics()
    file.write_text(keys_text(public_keys()))
    keys = IssuerKeys(str(file), COOLDOWN_SECONDS, TestClock(), metrics.tokens)
    keeping = asyncio.create_task(keys.keep(0.001))
    try:
        await until(lambda: keys.ready)
        file.unlink()
        await until(lambda: failed_reads(metrics) > 0)
        assert ["k1"] == [one.kid for one in keys.named(None)]
        file.write_text(keys_text(KeySet([key("k2")])))
        await until(lambda: bool(keys.named("k2")))
        assert [] == keys.named("k1")
        assert not keeping.done()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


def failed_reads(metrics: Metrics) -> float:
    return metrics.registry.get_sample_value("tallymill_ingress_key_reads_total", {"outcome": "failed"}) or 0


async def test_a_source_that_is_away_at_the_start_is_asked_until_it_is_there(tmp_path: Path) -> None:
    """Until then no token is good or bad."""
    file = tmp_path / "jwks.json"
    keys = IssuerKeys(str(file), COOLDOWN_SECONDS, TestClock(), Metrics().tokens)
    keeping = asyncio.create_task(keys.keep(0.001))
    try:
        with pytest.raises(Unchecked):
            keys.named("k1")
        file.write_text(keys_text(public_keys()))
        await until(lambda: keys.ready)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def test_the_gauge_of_the_keys_says_whether_they_can_be_read(tmp_path: Path) -> None:
    """Not yet, read, and no longer, although the last set stays in use."""
    file, metrics = tmp_path / "jwks.json", Metrics()
    settings = TokenSettings(issuer=ISSUER, audience=AUDIENCE, jwks=str(file), jwks_refresh_seconds=1)
    tokens = token_check(settings, None, TestClock(), metrics)

    def up() -> float | None:
        return metrics.registry.get_sample_value("tallymill_ingress_dependency_up", {"dependency": "keys"})

    assert 0 == up()
    file.write_text(keys_text(public_keys()))
    keeping = asyncio.create_task(tokens.keep())
    try:
        await until(lambda: up() == 1)
        file.write_text("no keys")
        await until(lambda: up() == 0)
        assert tokens.ready
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def test_the_settings_make_a_check_by_keys(source: Issuer) -> None:
    """As the process puts it together: the names of the claims, the leeway, the keys in the background."""
    settings = TokenSettings(
        issuer=ISSUER, audience=AUDIENCE, jwks=source.jwks_url, player_claim="uid", leeway_seconds=60
    )
    metrics = Metrics()
    tokens = token_check(settings, None, TestClock(), metrics)
    keeping = asyncio.create_task(tokens.keep())
    try:
        await until(lambda: tokens.ready)
        text = signed(issuer_key(), uid="bob", exp=NOW // 1000 - 30)
        assert "bob" == (await tokens.identity(text, NOW_SECONDS)).player
        assert "tallymill_ingress_keys_age_seconds" in generate_latest(metrics.registry).decode()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
