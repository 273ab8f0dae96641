"""`/openapi.json` of the console: the document agrees with the console."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from console.access.files import page_files
from schemas.errors.row import By
from schemas.errors.table import Refusal
from schemas.openapi.console_routes import CONSOLE, CONSOLE_ROUTES
from schemas.openapi.document import openapi_document
from schemas.openapi.export import FOLDER
from schemas.wire.console_replies import CountsReply, EventsReply
from schemas.wire.errors import ErrorBody
from schemas.wire.malformed import Violation
from serving.docs_page.page import ASSETS
from serving.http.get_routes import ALLOW
from serving.http.replies import refusal_reply
from tests.console.rig import DAY, MIDNIGHT, Rig, event, period_counts

DOCUMENT = openapi_document(CONSOLE)
# A body of another type.
ONLY_OF_WRITES = ("415",)


async def test_the_document_is_served_as_it_is_committed() -> None:
    """Byte for byte, and without a token."""
    answer = await Rig().call("GET", "/openapi.json")
    assert (200, "application/json; charset=utf-8") == (answer.status, answer.headers["content-type"])
    assert (FOLDER / "openapi.console.json").read_bytes() == answer.body


def test_the_document_has_just_the_routes_of_the_app() -> None:
    """One entry in schemas/openapi/console_routes.py for each method of each path."""
    served = {(path, "get") for path in Rig().app._endpoints.keys() - page_files().keys() if path != ASSETS}
    served |= {(path, "post") for path in Rig().app._writes}
    assert served == {(route.path, route.method) for route in CONSOLE_ROUTES}


@pytest.mark.parametrize(
    "refusal", [one for one in Refusal if By.CONSOLE in one.value.by and one is not Refusal.NOT_FOUND]
)
@pytest.mark.parametrize("violations", [(), (Violation(field="from", description="is required"),)])
def test_every_refusal_is_in_the_document(refusal: Refusal, violations: tuple[Violation, ...]) -> None:
    """With its status, its body, and the headers that it always has."""
    reply = refusal_reply(refusal, violations).having(*([ALLOW] if refusal is Refusal.METHOD else []))
    path = "/v1/dead-letters/redrive" if str(reply.status) in ONLY_OF_WRITES else "/v1/receipts/{receipt}"
    method = "post" if str(reply.status) in ONLY_OF_WRITES else "get"
    reference = DOCUMENT["paths"][path][method]["responses"][str(reply.status)]["$ref"]
    response: dict[str, Any] = DOCUMENT["components"]["responses"][reference.rpartition("/")[2]]
    schema = response["content"]["application/json"]["schema"]
    body = json.loads(reply.body)
    assert Draft202012Validator({"components": DOCUMENT["components"], **schema}).is_valid(body)
    assert refusal.value.code == ErrorBody.model_validate(body).error.code
    always = {name.lower() for name, header in response["headers"].items() if header.get("required")}
    assert always <= {name.decode() for name, _ in reply.headers}


async def test_answers_are_read_back_by_their_models() -> None:
    """With every optional field of an event, and with none."""
    rig = Rig()
    rig.store.counts |= period_counts([(MIDNIGHT, "A", 2**60), (MIDNIGHT, "B", 1)])
    query = {"source": "games", "from": MIDNIGHT, "to": MIDNIGHT + DAY, "limit": 1}
    counts = CountsReply.model_validate((await rig.get("/v1/counts", query)).json)
    assert (2**60, True, True) == (counts.rows[0].count, counts.asOf is not None, counts.nextPageToken is not None)
    more: dict[str, Any] = {"clock": "old", "extra": {"x": 1}, "media": {"y": 2}, "mediaRaw": "?", "requestId": "7"}
    rig.store.stored = {"demo/ann/a": event("a", MIDNIGHT), "demo/ann/b": event("b", MIDNIGHT, **more)}
    events = EventsReply.model_validate((await rig.get("/v1/events", {"actor": "ann"})).json)
    assert ["old", None] == [one.clock for one in events.events]
    assert "r1/00/7" == events.events[0].origin
