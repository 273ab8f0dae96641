"""The contract as JSON Schema (2020-12), one file a model, committed under schemas/json/ and compared in a test.

python -m schemas.export        writes the files anew
"""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from schemas.documents import (
    CheckpointDocument,
    DeadLetterDocument,
    Definition,
    ExceptionDocument,
    LineageDocument,
    PeriodCountDocument,
    PlayerDocument,
    RefusalDocument,
    RequestDocument,
)
from schemas.dry_run import DryRunAnswer
from schemas.games import EventRecordRequest, EventUpdateResponse
from schemas.refusals import RefusalsAnswer
from schemas.settings import Limits

FOLDER = Path(__file__).parent / "json"

# What goes over the wire is described as it is read; what we answer and store, as it is written.
READ = {"EventRecordRequest": EventRecordRequest}
WRITTEN: dict[str, Any] = {
    "DryRunAnswer": DryRunAnswer,
    "EventUpdateResponse": EventUpdateResponse,
    "Limits": Limits,
    "RefusalsAnswer": RefusalsAnswer,
    "mongodb.checkpoints": CheckpointDocument,
    "mongodb.dead_letters": DeadLetterDocument,
    "mongodb.definitions": Definition,
    "mongodb.exceptions": ExceptionDocument,
    "mongodb.lineages": LineageDocument,
    "mongodb.period_counts": PeriodCountDocument,
    "mongodb.players": PlayerDocument,
    "mongodb.refusals": RefusalDocument,
    "mongodb.requests": RequestDocument,
}


def exported() -> dict[str, str]:
    """The text of every file, by file name."""
    read = {name: TypeAdapter(model).json_schema(mode="validation") for name, model in READ.items()}
    written = {name: TypeAdapter(model).json_schema(mode="serialization") for name, model in WRITTEN.items()}
    return {f"{name}.json": json.dumps(schema, indent=2) + "\n" for name, schema in (read | written).items()}


def write() -> None:
    """Write the files anew."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in exported().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    write()
