"""Declares the event of the reserved app of `tallymill canary`."""

from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from ops.definitions.changes import DeclaredEvent, DefinitionsFile, apply_changes, changes, existing_definitions
from ops.init.finding import Finding
from ops.server_clock import server_now
from schemas.canary import CANARY_APP, CANARY_EVENT

DECLARED = DefinitionsFile(
    app=CANARY_APP, definitions=(DeclaredEvent(id=CANARY_EVENT, names={"en": "Canary"}, visibility="HIDDEN"),)
)


async def canary_event(db: AsyncDatabase[dict[str, Any]]) -> Finding:
    """Declared if it is missing or was retired."""
    found = changes(DECLARED, await existing_definitions(db, CANARY_APP), await server_now(db), retires=False)
    if all(change.kind == "unchanged" for change in found):
        return Finding(f"event {CANARY_EVENT} of {CANARY_APP}", "there")
    await apply_changes(db, found)
    return Finding(f"event {CANARY_EVENT} of {CANARY_APP}", "made")
