"""The lists of Google's client for Node.js, page by page."""

import pytest

from schemas.games.scopes import GAMES_LITE_SCOPE
from tests.clients.google.client import batch, period
from tests.clients.google.test_node import call, outcomes, told
from tests.clients.nodejs import packages
from tests.clients.running import System

# npm's first fetch is part of it.
pytestmark = pytest.mark.timeout(600)

LONG = "q" * 2_100


def test_g20_its_lists_page_to_the_end_and_fields_give_a_part(system: System) -> None:
    """A long query stays a GET with this client."""
    token, body = system.token("node-liz"), batch(1, period(LEVEL_UP=2, COIN_FOUND=1, ROUND_WON=1))
    record, own, definitions, part, long = outcomes(
        packages(),
        call(system.url, token, "record", requestBody=body),
        call(system.url, token, "listByPlayer", maxResults=2),
        call(system.url, token, "listDefinitions", maxResults=3, language="de"),
        call(system.url, token, "listByPlayer", fields="items(definitionId,numEvents)"),
        call(system.url, token, "listByPlayer", quotaUser=LONG),
    )
    assert [] == record["answers"][0]["batchFailures"]
    found = [item["definitionId"] for page in own["answers"] for item in page["items"]]
    assert (["COIN_FOUND", "LEVEL_UP", "ROUND_WON"], 2) == (found, len(own["answers"]))
    names = [item["displayName"] for page in definitions["answers"] for item in page["items"]]
    assert ["Münze gefunden", "Enemy defeated", "Level up", "Round won"] == names
    assert {"definitionId": "LEVEL_UP", "numEvents": "2"} == part["answers"][0]["items"][1]
    assert {"items"} == part["answers"][0].keys()
    assert 3 == len(long["answers"][0]["items"])


def test_403_its_lists_want_the_whole_scope(system: System) -> None:
    """games_lite may record, not read."""
    token = system.token("node-mia", GAMES_LITE_SCOPE)
    found = outcomes(packages(), *(call(system.url, token, name) for name in ("listByPlayer", "listDefinitions")))
    assert [(403, "PERMISSION_DENIED", "insufficientPermissions")] * 2 == [told(outcome) for outcome in found]
