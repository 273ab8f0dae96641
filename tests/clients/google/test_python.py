"""The real Python client against a real ingress: the answers are as Google's document declares."""

from typing import Any

import pytest
from google.auth.exceptions import RefreshError
from googleapiclient.errors import HttpError

from tests.clients.discovery import problems
from tests.clients.google.client import Refreshing, batch, events, period, told
from tests.clients.running import MAX_UPDATES, System

DRIVE_SCOPE = "https://www.googleapis.com/auth/drive"


def recorded(system: System, player: str, body: dict[str, Any], **parameters: str) -> dict[str, Any]:
    """The answer to one events.record, which the document must know."""
    with events(system.url, system.token(player)) as client:
        answer: dict[str, Any] = client.record(body=body, **parameters).execute()
    assert [] == problems("record", answer)
    return answer


def refused(url: str, credentials: Any, body: object) -> tuple[int, str, str]:  # noqa: ANN401 a token or credentials
    with events(url, credentials) as client, pytest.raises(HttpError) as caught:
        client.record(body=body).execute()
    return told(caught.value)


def causes(answer: dict[str, Any]) -> list[str]:
    return [failure["failureCause"] for failure in answer["batchFailures"]]


def test_g14_record_answers_the_totals_after_it(system: System) -> None:
    """Several periods at once, and the next request on top of it."""
    recorded(system, "gina", batch(1, period(LEVEL_UP=2, COIN_FOUND=1_200), period(LEVEL_UP=1, minutes_ago=60)))
    answer = recorded(system, "gina", batch(2, period(COIN_FOUND=34)))
    assert ([], []) == (answer["batchFailures"], answer["eventFailures"])
    (coins,) = answer["playerEvents"]
    assert ("gina", "COIN_FOUND", "1234") == (coins["playerId"], coins["definitionId"], coins["numEvents"])
    assert "1,234" == coins["formattedNumEvents"]
    assert {"LEVEL_UP": 3, "COIN_FOUND": 1_234} == system.totals("gina")


def test_g16_the_same_request_again_is_already_updated_with_the_totals(system: System) -> None:
    """And with an empty range, since the failure is the whole request's."""
    body = batch(-7, period(ROUND_WON=4))
    recorded(system, "hugo", body)
    answer = recorded(system, "hugo", body)
    assert ["ALREADY_UPDATED"] == causes(answer)
    assert {"kind": "games#eventPeriodRange"} == answer["batchFailures"][0]["range"]
    assert [("ROUND_WON", "4")] == [(event["definitionId"], event["numEvents"]) for event in answer["playerEvents"]]
    assert {"ROUND_WON": 4} == system.totals("hugo")


def test_g9_every_failure_of_a_part_is_answered_beside_what_counted(system: System) -> None:
    """A range that failed is echoed with the client's own values."""
    short, late = period(LEVEL_UP=1, seconds=0.5), period(LEVEL_UP=1, minutes_ago=40 * 1_440)
    answer = recorded(system, "ida", batch(1, short, late, period(NO_SUCH=1, COIN_FOUND=0, LEVEL_UP=5)))
    assert ["TIME_PERIOD_SHORT", "TIME_PERIOD_EXPIRED"] == causes(answer)
    failed = [failure["range"] for failure in answer["batchFailures"]]
    assert [{"kind": "games#eventPeriodRange", **one["timePeriod"]} for one in (short, late)] == failed
    failures = {(failure["eventId"], failure["failureCause"]) for failure in answer["eventFailures"]}
    assert {("NO_SUCH", "NOT_FOUND"), ("COIN_FOUND", "INVALID_UPDATE_VALUE")} == failures
    assert {"LEVEL_UP": 5} == system.totals("ida")


def test_g6_a_batch_over_the_limit_is_too_large(system: System) -> None:
    """Nothing of it is recorded, and its id is free."""
    answer = recorded(system, "jan", batch(1, *[period(LEVEL_UP=1)] * (MAX_UPDATES + 1)))
    assert (["TOO_LARGE"], []) == (causes(answer), answer["playerEvents"])
    assert [] == causes(recorded(system, "jan", batch(1, *[period(LEVEL_UP=1)] * MAX_UPDATES)))
    assert {"LEVEL_UP": MAX_UPDATES} == system.totals("jan")


def test_401_with_a_token_that_cant_be_refreshed_is_its_refresh_error(system: System) -> None:
    """The client means to refresh on 401, and has nothing to do it with."""
    with events(system.url, "no.such.token") as client, pytest.raises(RefreshError):
        client.record(body=batch(1, period(LEVEL_UP=1))).execute()


def test_401_stays_401_for_who_refreshes_in_vain(system: System) -> None:
    """The client refreshes its token and retries, twice, before it raises."""
    credentials = Refreshing(system.token("kim", seconds=-1))
    assert (401, "UNAUTHENTICATED", "authError") == refused(system.url, credentials, batch(1, period(LEVEL_UP=1)))
    assert 2 == credentials.refreshes


def test_g21_an_expired_token_is_refreshed_and_the_batch_counts_once(system: System) -> None:
    """401, never 403: by it the client knows that a new token helps."""
    credentials = Refreshing(system.token("lea", seconds=-1), system.token("lea"))
    with events(system.url, credentials) as client:
        answer = client.record(body=batch(1, period(LEVEL_UP=1))).execute()
    assert ([], 1) == (causes(answer), credentials.refreshes)
    assert {"LEVEL_UP": 1} == system.totals("lea")


def test_403_for_a_token_without_the_scope(system: System) -> None:
    """Of its reason the client knows not to try again."""
    token = system.token("max", DRIVE_SCOPE)
    told_of = refused(system.url, token, batch(1, period(LEVEL_UP=1)))
    assert (403, "PERMISSION_DENIED", "insufficientPermissions") == told_of


def test_400_names_the_field_where_the_client_shows_it(system: System) -> None:
    """`details` comes before `errors` in what the client prints (G21)."""
    body = batch(1, period(LEVEL_UP=1))
    body["timePeriods"][0]["updates"][0]["updateCount"] = 1.5
    with events(system.url, system.token("nia")) as client, pytest.raises(HttpError) as caught:
        client.record(body=body).execute()
    assert (400, "INVALID_ARGUMENT", "badRequest") == told(caught.value)
    (detail,) = caught.value.error_details
    assert "timePeriods[0].updates[0].updateCount" == detail["fieldViolations"][0]["field"]


@pytest.mark.parametrize("wrong", [{"requestId": 2**70}, {"requestId": None}, {"timePeriods": "all"}, {"more": 1}])
def test_400_for_what_the_client_never_checks(system: System, wrong: dict[str, object]) -> None:
    """It sends whatever it is given."""
    told_of = refused(system.url, system.token("nia"), batch(1, period(LEVEL_UP=1)) | wrong)
    assert (400, "INVALID_ARGUMENT", "badRequest") == told_of


def test_413_for_a_body_over_the_limit(system: System) -> None:
    """The client gets the answer although it is still sending."""
    body = batch(1, period(**{"X" * (3 << 20): 1}))
    assert (413, "INVALID_ARGUMENT", "requestTooLarge") == refused(system.url, system.token("oda"), body)


def test_503_while_kafka_is_away_and_retried_in_vain_by_the_client(system: System, without_kafka: str) -> None:
    """Never an OK (B7); `num_retries` makes the client send it again, with its requestId."""
    with events(without_kafka, system.token("pia")) as client, pytest.raises(HttpError) as caught:
        client.record(body=batch(1, period(LEVEL_UP=1))).execute(num_retries=1)
    assert (503, "UNAVAILABLE", "backendError") == told(caught.value)
    assert "1" == caught.value.resp["retry-after"]
    assert {} == system.totals("pia")
