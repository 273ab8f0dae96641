"""`tallymill prepare`: what a local system needs before its processes start."""

from pathlib import Path

from ops.definitions.command import ApplyOptions, apply
from ops.init.command import init


async def prepare(definitions: Path) -> int:
    """`init`, then an app's events. Safe to repeat: events that the user has declared for the demo app stay."""
    return await init(as_json=False) or await apply(definitions, ApplyOptions(retires=False), as_json=False)
