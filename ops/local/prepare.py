"""`tallymill prepare`: what a local system needs before its processes start."""

from pathlib import Path

from ops.config import load_settings
from ops.definitions.command import ApplyOptions, apply
from ops.init.command import initialise, print_findings, wrong
from ops.output import EXIT_WRONG, complain


async def prepare(definitions: Path) -> int:
    """`init`, then an app's events. Safe to repeat: events that the user has declared for the demo app stay.

    What is wrong is printed once more at the end: `up` shows the end of this output.
    """
    findings = await initialise(load_settings())
    print_findings(findings)
    if problems := wrong(findings):
        complain("\n".join(f"{one.what}: {one.detail}" for one in problems))
        return EXIT_WRONG
    return await apply(definitions, ApplyOptions(retires=False), as_json=False)
