"""Writes the contract as files under schemas/json/. They are committed; a test compares them with the code.

One JSON Schema (2020-12) for each model, `openapi.json` of the ingress, `openapi.console.json` of the console, and
`asyncapi.json` of the topics.

python -m schemas.openapi.export        writes the files
"""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from schemas.analytics.models import AddEventBatchRequest, AddEventRequest, AnalyticsReply
from schemas.checkpoints import CheckpointDocument, LineageDocument
from schemas.definitions import Definition
from schemas.documents import (
    CheckDocument,
    DeadLetterDocument,
    EventDocument,
    ExceptionDocument,
    PeriodCountDocument,
    PlayerDocument,
    RefusalDocument,
    TitleDocument,
    TitleNumbersDocument,
)
from schemas.games.body import EventDefinitionListResponse, EventUpdateResponse, PlayerEventListResponse
from schemas.games.dry_run import DryRunAnswer
from schemas.games.models import EventRecordRequest
from schemas.openapi.asyncapi import asyncapi_document
from schemas.openapi.console_routes import CONSOLE
from schemas.openapi.document import openapi_document
from schemas.request_ids import RequestsDocument
from schemas.settings import Limits
from schemas.wire.console_access import RedriveReply, RedriveRequest, SessionReply
from schemas.wire.console_lists import (
    AppsReply,
    CountedReceiptReply,
    CountedRequestReply,
    DeadLettersReply,
    DefinitionsReply,
    PlayerReply,
    RefusalsReply,
)
from schemas.wire.console_replies import CountsReply, EventsReply
from schemas.wire.errors import ErrorBody
from schemas.wire.refusals import RefusalsAnswer
from schemas.wire.system_reply import SystemReply

FOLDER = Path(__file__).parent.parent / "json"

# A request is described as it is read; an answer or a document in MongoDB as it is written.
READ: dict[str, Any] = {
    "AddEventBatchRequest": AddEventBatchRequest,
    "AddEventRequest": AddEventRequest,
    "EventRecordRequest": EventRecordRequest,
    "RedriveRequest": RedriveRequest,
}
WRITTEN: dict[str, Any] = {
    "AnalyticsReply": AnalyticsReply,
    "AppsReply": AppsReply,
    "CountedReceiptReply": CountedReceiptReply,
    "CountedRequestReply": CountedRequestReply,
    "DeadLettersReply": DeadLettersReply,
    "DefinitionsReply": DefinitionsReply,
    "PlayerReply": PlayerReply,
    "RefusalsReply": RefusalsReply,
    "CountsReply": CountsReply,
    "DryRunAnswer": DryRunAnswer,
    "ErrorBody": ErrorBody,
    "EventDefinitionListResponse": EventDefinitionListResponse,
    "EventUpdateResponse": EventUpdateResponse,
    "EventsReply": EventsReply,
    "PlayerEventListResponse": PlayerEventListResponse,
    "Limits": Limits,
    "RedriveReply": RedriveReply,
    "RefusalsAnswer": RefusalsAnswer,
    "SessionReply": SessionReply,
    "SystemReply": SystemReply,
    "mongodb.checkpoints": CheckpointDocument,
    "mongodb.checks": CheckDocument,
    "mongodb.dead_letters": DeadLetterDocument,
    "mongodb.definitions": Definition,
    "mongodb.events": EventDocument,
    "mongodb.exceptions": ExceptionDocument,
    "mongodb.lineages": LineageDocument,
    "mongodb.period_counts": PeriodCountDocument,
    "mongodb.players": PlayerDocument,
    "mongodb.refusals": RefusalDocument,
    "mongodb.requests": RequestsDocument,
    "mongodb.titles": TitleDocument | TitleNumbersDocument,
}


def exported() -> dict[str, str]:
    """The text of every file, by file name."""
    read = {name: TypeAdapter(model).json_schema(mode="validation") for name, model in READ.items()}
    written = {name: TypeAdapter(model).json_schema(mode="serialization") for name, model in WRITTEN.items()}
    documents = {
        "openapi": openapi_document(),
        "openapi.console": openapi_document(CONSOLE),
        "asyncapi": asyncapi_document(),
    }
    files = read | written | documents
    return {f"{name}.json": json.dumps(content, indent=2) + "\n" for name, content in files.items()}


def write(folder: Path = FOLDER) -> None:
    """Write the files."""
    folder.mkdir(exist_ok=True)
    for name, text in exported().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    write()
