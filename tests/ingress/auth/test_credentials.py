"""What a token opens, and that it goes nowhere else (B6, G21)."""

from urllib.parse import quote

import pytest
import structlog
from structlog.testing import capture_logs

from tests.ingress.rig import GAMES, NOW, RECORD, Answer, Rig, batch, period, token, update


def reason(answer: Answer) -> str:
    said: str = answer.json["error"]["errors"][0]["reason"]
    return said


def bearer(**claims: object) -> dict[str, str]:
    return {"authorization": f"Bearer {token(**claims)}"}


async def record(rig: Rig, request_id: str = "7", **claims: object) -> Answer:
    return await rig.record(period(update()), request_id=request_id, **bearer(**claims))


async def request_of(rig: Rig, request_id: str = "7", **claims: object) -> Answer:
    return await rig.call("GET", f"/v1/requests/{request_id}", bearer(**claims))


def totals(answer: Answer) -> list[tuple[str, str]]:
    return [(event["playerId"], event["numEvents"]) for event in answer.json["playerEvents"]]


@pytest.mark.parametrize("other", [{"sub": "bob"}, {"app": "other"}, {"sub": "ANN"}])
async def test_b6_a_second_player_suppresses_nothing_of_the_first(rig: Rig, other: dict[str, str]) -> None:
    """The same requestId before and after: it is another id, and neither is ALREADY_UPDATED."""
    rig.store.declare("other", "LEVEL_UP")
    answers = [await record(rig, **other), await record(rig)]
    assert [[], []] == [answer.json["batchFailures"] for answer in answers]
    assert ["1", "1"] == [count for answer in answers for _, count in totals(answer)]
    again = await record(rig, **other)
    assert ["ALREADY_UPDATED"] == [failure["failureCause"] for failure in again.json["batchFailures"]]


async def test_b6_a_second_player_reads_and_writes_nothing_of_the_first(rig: Rig) -> None:
    """Neither totals nor requests. Records are stored only for the token's player."""
    await record(rig)
    answer = await record(rig, sub="bob")
    assert [("bob", "1")] == totals(answer)
    assert {"demo/ann": {"LEVEL_UP": 1}, "demo/bob": {"LEVEL_UP": 1}} == rig.store.players
    assert [b"demo/ann", b"demo/bob"] == [one.key for one in rig.topic.records]
    assert 404 == (await request_of(rig, sub="eve")).status


async def test_b6_a_second_players_rate_is_not_spent_by_the_first(rig: Rig) -> None:
    """Or one could silence another by sending much."""
    for n in range(rig.shared.limits.max_requests_per_player):
        rig.games.rates.window(rig.shared.limits).wait_seconds("demo/ann", rig.clock.monotonic_seconds() + n * 1e-6)
    failures = [(await record(rig, sub=sub)).json["batchFailures"] for sub in ("ann", "bob")]
    assert [["RECORD_RATE_HIGH"], []] == [[one["failureCause"] for one in failed] for failed in failures]


@pytest.mark.parametrize("sub", ["ann/7", "../demo/ann", "~ann", "demo/ann", "ann\n", "", "ann\x00"], ids=repr)
async def test_b6_no_name_reaches_into_another_players_ids(rig: Rig, sub: str) -> None:
    """`_id`s are app/player/requestId: with a slash in a name they could be another player's."""
    await record(rig)
    answer = await record(rig, sub=sub)
    assert (401, "authError") == (answer.status, reason(answer))
    assert 401 == (await request_of(rig, sub=sub)).status
    assert 1 == len(rig.topic.records)


async def test_b6_an_anonymous_token_is_403_on_every_games_route(rig: Rig) -> None:
    """Even if it names a player. Nothing is recorded or returned."""
    await record(rig)
    for answer in (await record(rig, anonymous=True), await request_of(rig, anonymous=True)):
        assert (403, "insufficientPermissions") == (answer.status, reason(answer))
        assert "details" not in answer.json["error"]
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert 1 == len(rig.topic.records)


async def test_g21_401_and_403_say_what_rfc_6750_wants_and_never_details(rig: Rig) -> None:
    """No token, a bad one, an expired one without the scope (401 first), the wrong scope."""
    answers = [
        await rig.call("POST", RECORD, {"content-type": "application/json"}, [batch()]),
        await rig.post(batch(), authorization="Bearer x.y.z"),
        await record(rig, exp=NOW // 1000 - 1, scope="email"),
        await record(rig, scope="email"),
    ]
    told = [(answer.status, reason(answer), answer.headers["www-authenticate"]) for answer in answers]
    realm = 'Bearer realm="tallymill"'
    assert [
        (401, "authError", realm),
        (401, "authError", realm + ', error="invalid_token"'),
        (401, "authError", realm + ', error="invalid_token"'),
        (403, "insufficientPermissions", realm + f', error="insufficient_scope", scope="{GAMES}"'),
    ] == told
    assert not any("details" in answer.json["error"] for answer in answers)


@pytest.mark.parametrize("name", ["access_token", "oauth_token", "token", "key", "bearer_token", "Authorization"])
async def test_b6_a_token_in_the_query_is_no_token(rig: Rig, name: str) -> None:
    """RFC 6750 section 2.3 is not served: addresses end in everybody's logs."""
    for value in (token(), f"Bearer {token()}"):
        answer = await rig.call(
            "POST", f"{RECORD}?{name}={quote(value)}", {"content-type": "application/json"}, [batch(period(update()))]
        )
        assert (401, 'Bearer realm="tallymill"') == (answer.status, answer.headers["www-authenticate"])
    assert [] == rig.topic.records


async def test_b6_no_credential_reaches_kafka_a_reply_a_metric_or_a_log(
    rig: Rig, capfd: pytest.CaptureFixture[str]
) -> None:
    """Tokens in header and query: accepted, refused, unknown, and in a request that triggers a bug."""
    secrets = [token(), token(exp=1), token(scope="email"), "no-jwt-but-secret", token(anonymous=True)]
    answers = []
    with capture_logs(processors=[structlog.processors.format_exc_info]) as logs:
        for secret in secrets:
            headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
            path = f"{RECORD}?access_token={secret}&key={secret}"
            answers.append(await rig.call("POST", path, headers, [batch(period(update()))]))
        rig.definitions._apps = {"demo": "not definitions"}  # type: ignore[assignment]  # what a bug looks like
        answers.append(await rig.record(period(update()), authorization=f"Bearer {secrets[0]}"))
    assert [200, 401, 403, 401, 403, 500] == [answer.status for answer in answers]
    assert ["bug"] == [line["event"] for line in logs if "Traceback" in line.get("exception", "")]
    records = [(one.key, one.headers, one.body) for one in rig.topic.records]
    assert 1 == len(records)
    everything = [
        repr(records),
        repr(logs),
        repr(capfd.readouterr()),
        *(repr(answer) for answer in answers),
        (await rig.call("GET", "/metrics")).body.decode(),
    ]
    parts = {part for secret in secrets for part in (secret, *secret.split(".")) if len(part) > 8}
    assert [] == [part for part in parts for text in everything if part in text]
