"""Why tokens are rejected: counted by reason, logged seldom and without the token; the replies are as before."""

import base64
import json

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from ingress.auth.sessions import session_key, token_check
from ingress.config import TokenSettings
from ingress.http.metrics import Metrics
from serving.tokens.bearer import MAX_TOKEN_BYTES
from serving.tokens.identity import BadToken
from serving.tokens.rejected import RejectedTokens
from tests.clock import TestClock
from tests.console.rig import Rig as ConsoleRig
from tests.ingress.rig import AUDIENCE, ISSUER, NOW, RECORD, Answer, Rig, batch, claims, period, token, update

FORGER = OKPKey.generate_key("Ed25519", {"kid": "k1"})


def forged() -> str:
    return jwt.encode({"alg": "Ed25519", "kid": "k1"}, claims(), FORGER, algorithms=["Ed25519"])


def symmetric() -> str:
    key = OctKey.generate_key(256)
    return jwt.encode({"alg": "HS256", "kid": "k1"}, claims(), key, algorithms=["HS256"])


def unsigned() -> str:
    head, body = (base64.urlsafe_b64encode(json.dumps(one).encode()) for one in ({"alg": "none"}, claims()))
    return f"{head.decode().rstrip('=')}.{body.decode().rstrip('=')}."


BAD = {
    "expired": (token(exp=NOW // 1000), token(exp=1)),
    "issuer": (token(iss="https://another.test"), token(iss=["https://issuer.test"])),
    "audience": (token(aud="another"), token(aud=["a", "b"])),
    "signature": (forged(), token()[:-6] + "AAAAAA"),
    "claim": (
        *(token(**{name: None}) for name in ("iss", "aud", "exp", "sub", "app", "scope")),
        token(exp="soon"),
        token(nbf=NOW // 1000 + 60),
        token(anonymous="yes"),
        token(sub="~ann"),
    ),
    "malformed": ("x.y.z", "x", "\\u2603", symmetric(), unsigned(), "a" * (MAX_TOKEN_BYTES + 1)),
}
CASES = [(reason, bearer) for reason, tokens in BAD.items() for bearer in tokens]


def outcome(answer: Answer) -> tuple[int, bytes, str]:
    """What a client sees."""
    return answer.status, answer.body, answer.headers["www-authenticate"]


@pytest.mark.parametrize(("reason", "bearer"), CASES)
async def test_each_reason_is_counted_and_logged_and_all_replies_are_the_same(reason: str, bearer: str) -> None:
    """The log has nothing of the token."""
    rig, other = Rig(), Rig()
    with capture_logs() as logs:
        answer = await rig.post(batch(period(update())), authorization=f"Bearer {bearer}")
    with capture_logs():
        assert outcome(await other.post(batch(), authorization=f"Bearer {token(exp=1)}")) == outcome(answer)
    assert 1 == rig.metric("rejected_tokens_total", reason=reason)
    (line,) = logs
    assert ("token_rejected", reason, "info") == (line["event"], line["rejected_as"], line["log_level"])
    for part in bearer.split("."):
        assert len(part) < 4 or part not in str(line)


async def test_the_console_counts_them_too() -> None:
    rig = ConsoleRig()
    with capture_logs():
        assert 401 == (await rig.get("/v1/counts", {}, bearer=token(exp=1))).status
    assert 1 == rig.metrics.registry.get_sample_value("tallymill_console_rejected_tokens_total", {"reason": "expired"})


async def test_a_token_in_a_body_is_counted_once() -> None:
    """The analytics API takes it there, too."""
    rig = Rig()
    with capture_logs():
        body = json.dumps({"Token": token(exp=1), "eventData": []}).encode()
        assert 401 == (await rig.add(body, bearer="")).status
    assert 1 == rig.metric("rejected_tokens_total", reason="expired")


async def test_a_cached_token_that_expires_is_counted() -> None:
    rig = Rig(apply_seconds=0)
    bearer = token(exp=NOW // 1000 + 5)
    sent = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
    assert 200 == (await rig.call("POST", RECORD, sent, [batch(period(update()))])).status
    rig.clock.now_millis += 10_000
    with capture_logs():
        assert 401 == (await rig.call("POST", RECORD, sent, [batch(period(update()))])).status
    assert 1 == rig.metric("rejected_tokens_total", reason="expired")


def test_a_flood_is_one_line_a_second_of_each_reason() -> None:
    """With how many were left out. Another reason is not hidden."""
    now, registry = [0.0], CollectorRegistry()
    rejected = RejectedTokens("ingress", registry, lambda: now[0])
    with capture_logs() as logs:
        for millis in range(2_500):
            now[0] = millis / 1000
            rejected.note(BadToken("expired", "exp is past"))
        rejected.note(BadToken("signature", "not signed with a key of the issuer"))
    assert [(line["rejected_as"], line.get("repeated")) for line in logs] == [
        ("expired", None),
        ("expired", 999),
        ("expired", 999),
        ("signature", None),
    ]
    assert 2_500 == registry.get_sample_value("tallymill_ingress_rejected_tokens_total", {"reason": "expired"})


@pytest.mark.parametrize("by_signature", [True, False])
def test_only_reasons_that_a_process_can_find_are_shown_before(by_signature: bool) -> None:  # noqa: FBT001 a parameter of the test
    """By signature no issuer is asked; by introspection no signature is verified."""
    how = (
        {"jwks": "/keys"}
        if by_signature
        else {"introspection_url": "https://issuer.test", "introspection_client_id": "x"}
    )
    settings, metrics = TokenSettings(issuer=ISSUER, audience=AUDIENCE, **how), Metrics()
    token_check(settings, session_key(settings), TestClock(), metrics)
    name = "tallymill_ingress_rejected_tokens_total"
    shown = {
        reason for reason in (*BAD, "inactive") if metrics.registry.get_sample_value(name, {"reason": reason}) == 0
    }
    assert {*BAD, "inactive"} - {"inactive" if by_signature else "signature"} == shown
    reads = metrics.registry.get_sample_value("tallymill_ingress_key_reads_total", {"outcome": "failed"})
    asked = metrics.registry.get_sample_value("tallymill_ingress_introspection_seconds_count", {"outcome": "failed"})
    assert ((0, None) if by_signature else (None, 0)) == (reads, asked)
