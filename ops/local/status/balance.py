"""The balance: records accepted by Kafka = records with a fate in MongoDB + records in flight.

It is computed in a separate thread, so that a silent server delays `status` only briefly.
"""

import asyncio
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ops.config import FILE_VARIABLE, LOCAL_FILE_NAME, Settings, SettingsError, load_settings
from ops.lineage.losses import Loss, losses_of, open_losses
from ops.local.status.probes import ANSWER_SECONDS
from schemas.balance import Balance, balance_of


def balance_report(data: Path) -> dict[str, Any]:
    """`balance`: by topic; null, with `balance_why`, if it can't be known within ANSWER_SECONDS. Never raises.

    `lost`: records that were lost before they were counted, a sentence each; null where that is not known either.
    `perhaps_lost`: the same of records whose log can't be asked, so that nobody knows.
    """
    try:
        settings = load_settings({**os.environ, FILE_VARIABLE: str(data / LOCAL_FILE_NAME)})
    except SettingsError as error:
        return unknown(str(error))
    from ops.lineage import find  # noqa: F401, PLC0415 the clients: loaded before the clock runs, and only here

    answers: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(_asked(settings)), name="balance", daemon=True)
    asking.start()
    asking.join(ANSWER_SECONDS)
    return answers[0] if answers else unknown(f"no answer within {ANSWER_SECONDS:g} s")


def unknown(why: str) -> dict[str, Any]:
    """Neither the balance nor what was lost is known."""
    return {"balance": None, "balance_why": why, "lost": None, "perhaps_lost": None}


def _asked(settings: Settings) -> dict[str, Any]:
    from ops.connect import NotReachable  # noqa: PLC0415 the same

    try:
        found, losses = asyncio.run(asyncio.wait_for(_ask(settings), ANSWER_SECONDS))
    except (NotReachable, SettingsError, TimeoutError) as error:
        return unknown(str(error) or f"no answer within {ANSWER_SECONDS:g} s")
    return {"balance": {topic: {**asdict(one), "holds": one.holds} for topic, one in found.items()}, **told(losses)}


def told(losses: Iterable[Loss]) -> dict[str, list[str]]:
    """Those that nobody has accepted, a sentence each, apart by whether the records are certainly lost."""
    found = open_losses(losses)
    return {
        "lost": [str(one) for one in found if one.why != "unknown"],
        "perhaps_lost": [str(one) for one in found if one.why == "unknown"],
    }


async def _ask(settings: Settings) -> tuple[dict[str, Balance], list[Loss]]:
    """Reads the checkpoints before the ends of the log, so that no checkpoint is beyond its end.

    If a log was cut, only its end can show that here. `verify` and `doctor` compare the records themselves.
    """
    from ops.connect import database, kafka_consumer  # noqa: PLC0415 the same
    from ops.lineage.context import checkpoints_of, lineages_of  # noqa: PLC0415 the same
    from ops.lineage.find import known_of, newest_of  # noqa: PLC0415 the same
    from ops.topic import topic_now  # noqa: PLC0415 the same

    async with database(settings) as db, kafka_consumer(settings) as consumer:
        lineages = await lineages_of(db)
        checkpoints = {key: one for each in lineages for key, one in (await checkpoints_of(db, each["_id"])).items()}
        topics = {name: await topic_now(consumer, name) for name in {one["topic"] for one in lineages}}
        newest = [one for one in newest_of(lineages) if topics[one["topic"]].is_of(one)]
        of_newest = {
            lineage["topic"]: {k: one for k, one in checkpoints.items() if k.partition("/")[0] == lineage["_id"]}
            for lineage in newest
        }
        bounds = {topic: topics[topic].bounds for topic in of_newest}
        found = {topic: balance_of(of_newest[topic].values(), bounds[topic]) for topic in of_newest}
        ended = {key: end for topic, ours in of_newest.items() for key, end in ended_below(ours, bounds[topic]).items()}
        losses = losses_of(await known_of(db, lineages, checkpoints, topics, ended))
    return found, losses


def ended_below(checkpoints: Mapping[str, Mapping[str, Any]], bounds: Mapping[int, tuple[int, int]]) -> dict[str, int]:
    """Where logs end that end below their checkpoint, by checkpoint."""
    ends = {key: bounds.get(int(key.rpartition("/")[2]), (0, one["next"]))[1] for key, one in checkpoints.items()}
    return {key: end for key, end in ends.items() if end < checkpoints[key]["next"]}
