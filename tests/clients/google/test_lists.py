"""The real Python client's lists, page by page, and what any method takes in its query."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from ops.local.servers.ports import LOOPBACK, any_free
from ops.local.servers.processes import Children
from schemas.games.scopes import GAMES_LITE_SCOPE
from tests.clients.discovery import problems
from tests.clients.google.client import batch, events, period, told
from tests.clients.running import DEFINITIONS, System, start_ingress

ALL = sorted(event.id for event in DEFINITIONS.definitions)
REVEALED = [name for name in ALL if name != "SECRET_FOUND"]
# Past this the client makes a POST of a GET (G1).
LONG = "q" * 2_100


@pytest.fixture(scope="module")
def player(system: System) -> str:
    """One who has recorded three of the events."""
    with events(system.url, system.token("vera")) as client:
        body = batch(1, period(LEVEL_UP=1, COIN_FOUND=934_567, ROUND_WON=3))
        assert [] == client.record(body=body).execute()["batchFailures"]
    return "vera"


def pages(client: Any, method: str, **parameters: object) -> list[dict[str, Any]]:  # noqa: ANN401 the client has no types
    """Every page that `list_next` leads to; the document must know each."""
    found: list[dict[str, Any]] = []
    request = getattr(client, method)(**parameters)
    while request is not None:
        found.append(request.execute())
        assert [] == problems(method, found[-1])
        request = getattr(client, f"{method}_next")(request, found[-1])
        assert len(found) < 10, "paging that never ends"
    return found


def items(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for page in found for item in page["items"]]


def test_g20_both_lists_page_to_the_end_sorted_by_id(system: System, player: str) -> None:
    """The last page, and only that, has no token."""
    with events(system.url, system.token(player)) as client:
        own = pages(client, "listByPlayer", maxResults=2)
        definitions = pages(client, "listDefinitions", maxResults=2)
    assert ["COIN_FOUND", "LEVEL_UP", "ROUND_WON"] == [item["definitionId"] for item in items(own)]
    assert [2, 1] == [len(page["items"]) for page in own]
    assert REVEALED == [item["id"] for item in items(definitions)]
    for found in (own, definitions):
        assert [True, False] == ["nextPageToken" in page for page in found]


def test_g20_all_fits_on_one_page_by_default(system: System, player: str) -> None:
    """With the totals, written as numbers are in the language asked for."""
    with events(system.url, system.token(player)) as client:
        (page,) = pages(client, "listByPlayer", language="de")
    coins = page["items"][0]
    assert ("934567", "934.567", player) == (coins["numEvents"], coins["formattedNumEvents"], coins["playerId"])


def test_g20_a_page_token_of_another_player_or_method_is_400(system: System, player: str) -> None:
    """It opens nothing but the list it was given for."""
    with events(system.url, system.token(player)) as client:
        token = client.listByPlayer(maxResults=1).execute()["nextPageToken"]
        with pytest.raises(HttpError) as other_method:
            client.listDefinitions(pageToken=token).execute()
    with events(system.url, system.token("wim")) as client, pytest.raises(HttpError) as other_player:
        client.listByPlayer(pageToken=token).execute()
    for caught in (other_method, other_player):
        assert (400, "INVALID_ARGUMENT", "badRequest") == told(caught.value)


def test_a_hidden_event_is_shown_to_who_recorded_it(system: System) -> None:
    """To nobody else."""
    with events(system.url, system.token("xena")) as client:
        before = pages(client, "listDefinitions")
        client.record(body=batch(1, period(SECRET_FOUND=1))).execute()
        after = pages(client, "listDefinitions")
    assert REVEALED == [item["id"] for item in items(before)]
    assert ALL == [item["id"] for item in items(after)]


def test_definitions_have_their_children_their_texts_and_an_image(system: System) -> None:
    """Texts in the language asked for; a default image is said to be one."""
    with events(system.url, system.token("yves")) as client:
        found = {item["id"]: item for item in items(pages(client, "listDefinitions", language="pt-BR"))}
    level, enemy = found["LEVEL_UP"], found["ENEMY_DEFEATED"]
    assert ("Subiu de nível", "A player reached the next level") == (level["displayName"], level["description"])
    assert ["COIN_FOUND", "ENEMY_DEFEATED"] == [child["childId"] for child in level["childEvents"]]
    assert [] == enemy["childEvents"]
    assert ("https://img.example/enemy.png", False) == (enemy["imageUrl"], enemy["isDefaultImageUrl"])
    assert level["isDefaultImageUrl"]
    assert level["imageUrl"]


def test_g2_fields_gives_that_part_of_each_method(system: System, player: str) -> None:
    """The Play Games clients never ask for it; the generic ones do."""
    with events(system.url, system.token(player)) as client:
        own = client.listByPlayer(fields="items(definitionId,numEvents)", maxResults=1).execute()
        definitions = client.listDefinitions(fields="items/id,nextPageToken", maxResults=1).execute()
        body = batch(2, period(LEVEL_UP=1))
        record = client.record(body=body, fields="playerEvents/numEvents").execute()
    assert {"items": [{"definitionId": "COIN_FOUND", "numEvents": "934567"}]} == own
    assert [{"id": "COIN_FOUND"}] == definitions["items"]
    assert {"items", "nextPageToken"} == definitions.keys()
    assert {"playerEvents": [{"numEvents": "2"}]} == record


def test_g2_what_every_method_takes_changes_nothing(system: System, player: str) -> None:
    """Neither a key, nor a quota user, nor indenting."""
    with events(system.url, system.token(player)) as client:
        plain = client.listByPlayer().execute()
        more = client.listByPlayer(key="k", quotaUser="q", prettyPrint=True, alt="json", x__xgafv="2").execute()
    assert plain == more


def test_g1_a_long_get_goes_as_a_post_and_is_that_get(system: System, player: str) -> None:
    """With its parameters in a form, which page and filter as they do in a query."""
    with events(system.url, system.token(player)) as client:
        request = client.listByPlayer(quotaUser=LONG, maxResults=2)
        assert len(request.uri) > 2_048
        first = request.execute()
        second = client.listByPlayer(quotaUser=LONG, maxResults=2, pageToken=first["nextPageToken"]).execute()
        short = pages(client, "listByPlayer", maxResults=2)
        definitions = client.listDefinitions(quotaUser=LONG).execute()
    assert [] == problems("listByPlayer", first)
    assert [page["items"] for page in short] == [first["items"], second["items"]]
    assert REVEALED == [item["id"] for item in definitions["items"]]


def test_403_lists_want_the_whole_scope(system: System) -> None:
    """games_lite may record, not read."""
    token = system.token("zoe", GAMES_LITE_SCOPE)
    for method in ("listByPlayer", "listDefinitions"):
        with events(system.url, token) as client, pytest.raises(HttpError) as caught:
            getattr(client, method)().execute()
        assert (403, "PERMISSION_DENIED", "insufficientPermissions") == told(caught.value)


@pytest.mark.parametrize("max_results", [0, -1])
def test_400_for_a_page_of_nothing(system: System, max_results: int) -> None:
    """G20: below 1."""
    with events(system.url, system.token("zoe")) as client, pytest.raises(HttpError) as caught:
        client.listByPlayer(maxResults=max_results).execute()
    assert (400, "INVALID_ARGUMENT", "badRequest") == told(caught.value)


@pytest.fixture(scope="module")
def without_mongodb(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An ingress at whose MongoDB's address nobody listens."""
    folder: Path = tmp_path_factory.mktemp("without-mongodb")
    with Children(folder / "logs") as children:
        nobody = {"uri": f"mongodb://{LOOPBACK}:{any_free()}/?directConnection=true"}
        yield start_ingress(children, system.settings, folder, mongodb=nobody)


@pytest.mark.parametrize("method", ["listByPlayer", "listDefinitions"])
def test_503_while_mongodb_is_away(system: System, without_mongodb: str, method: str) -> None:
    """A list is never guessed."""
    with events(without_mongodb, system.token("zoe")) as client, pytest.raises(HttpError) as caught:
        getattr(client, method)().execute()
    assert (503, "UNAVAILABLE", "backendError") == told(caught.value)
    assert int(caught.value.resp["retry-after"]) >= 1
