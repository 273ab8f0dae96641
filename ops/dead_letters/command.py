"""`tallymill dead-letters list / show / redrive`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.config import load_settings
from ops.connect import database, kafka_producer
from ops.output import EXIT_BAD_INPUT, EXIT_OK, EXIT_WRONG, complain, print_table, printable, say
from serving.dead_letters.store import Chosen, letter, letters, readable, redrive, summary, topic_of, topics


async def show_list(chosen: Chosen, *, as_json: bool) -> int:
    async with database(load_settings()) as db:
        by_lineage = await topics(db)
        found = [{**summary(one), "topic": topic_of(one, by_lineage)} for one in await letters(db, chosen)]
    if as_json:
        say(json.dumps(found))
    else:
        rows = [
            (one["id"], one["topic"] or "", one["at"], str(one["bytes"]), one["redriven"] or "", one["reason"])
            for one in found
        ]
        print_table(("id", "topic", "at", "bytes", "redriven", "reason"), rows)
    return EXIT_OK


async def show_one(identity: str, *, as_json: bool) -> int:
    """Exit status 2 if there is none of that id."""
    async with database(load_settings()) as db:
        found, by_lineage = await letter(db, identity), await topics(db)
    if found is None:
        complain(f"There is no dead letter {identity}. List them with `tallymill dead-letters list`")
        return EXIT_BAD_INPUT
    shown = {**readable(found), "topic": topic_of(found, by_lineage)}
    say(json.dumps(shown) if as_json else letter_text(shown))
    return EXIT_OK


def letter_text(shown: Mapping[str, Any]) -> str:
    """A line for each field that has a value, and one for each header. The value comes last: it may have many lines."""
    fields = [(name, value) for name, value in shown.items() if name not in ("headers", "value", "cut")]
    fields += [(f"whole {name}", value) for name, value in (shown["cut"] or {}).items()]
    fields += [(f"header {name}", value) for name, value in shown["headers"]]
    lines = [f"{name}: {value}" for name, value in fields if value is not None]
    return "\n".join([*map(printable, lines), f"value: {shown['value']}"])


@dataclass(frozen=True, slots=True)
class RedriveOptions:
    chosen: Chosen
    dry_run: bool
    rate: float | None


async def redrive_some(options: RedriveOptions, *, as_json: bool) -> int:
    """Exit status 1: not all were produced. 2: the given id does not exist, or was redriven before."""
    settings = load_settings()
    async with database(settings) as db:
        found = [one["_id"] for one in await letters(db, options.chosen)]
        if options.chosen.identities and not found:
            complain(
                f"There is no dead letter {options.chosen.identities[0]} that was not redriven before. To redrive one "
                f"again, add --again"
            )
            return EXIT_BAD_INPUT
        done, problem = 0, ""
        if found and not options.dry_run:
            async with kafka_producer(settings) as producer:
                done, problem = await redrive(db, producer, found, options.rate)
    if problem:
        complain(f"{problem}\nRun the command again: redriven dead letters are marked, and none can count twice")
    if as_json:
        shown = {"chosen": len(found), "redriven": done, "dry_run": options.dry_run, "ids": found, "problem": problem}
        say(json.dumps(shown))
    elif options.dry_run:
        say("\n".join([*found, f"{len(found)} dead letters would be redriven"]))
    else:
        say(f"{done} of {len(found)} dead letters redriven")
    return EXIT_WRONG if problem else EXIT_OK
