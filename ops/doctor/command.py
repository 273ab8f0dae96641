"""`tallymill doctor`: checks everything that exactly-once counting depends on, and its cost. Changes nothing."""

import asyncio
import json
import time
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure

from ops.checks import keep_check
from ops.config import Settings, SettingsError, load_settings
from ops.connect import NotAllowed, NotReachable, database, kafka_admin, kafka_consumer
from ops.doctor.check import Check
from ops.doctor.clocks import clocks
from ops.doctor.costs import cost_check, events_check, stored_events, stored_requests
from ops.doctor.unread import unread_partitions
from ops.init.command import refusals_options
from ops.layout import wrong_layouts
from ops.lineage.find import find_losses
from ops.lineage.losses import Loss, loss_text, open_losses
from ops.lineage.store import newest_lineage
from ops.output import EXIT_OK, EXIT_WRONG, print_table, say
from schemas import requirements
from schemas.documents import REFUSALS, REQUESTS
from schemas.mongod_risks import LIFETIME, lifetime_risk
from schemas.settings import APIS, Api, KafkaSettings
from schemas.topic_risks import MIN_IN_SYNC, UNCLEAN, TopicShape, more_partitions, too_few_partitions, topic_risks
from serving.kafka.topic import topic_config, topic_shape
from serving.mongodb import client as mongodb
from serving.mongodb.rights import UNAUTHORIZED

# MongoDB rounds the size of a capped collection up to a multiple of this.
ROUNDED_BYTES = 256

DAY_SECONDS = 86_400


async def doctor(*, as_json: bool) -> int:
    """Exit status 1 if something is wrong."""
    settings, began = load_settings(), time.monotonic()
    checks = await examine(settings)
    seconds = time.monotonic() - began
    if as_json:
        say(json.dumps([asdict(check) for check in checks]))
    else:
        print_table(("what", "state", "detail"), [(c.what, c.state, c.detail) for c in checks])
    is_right = all(check.state != "wrong" for check in checks)
    await keep_check(settings, "doctor", ok=is_right, detail=summary(checks), seconds=seconds)
    return EXIT_OK if is_right else EXIT_WRONG


def summary(checks: Sequence[Check]) -> str:
    """One sentence. The first check that is wrong is quoted, or else the first warning."""
    by_state = {state: [check for check in checks if check.state == state] for state in ("wrong", "warning")}
    found = f"{len(checks)} checks, {len(by_state['wrong'])} wrong, {len(by_state['warning'])} warnings"
    first = [*by_state["wrong"], *by_state["warning"]][:1]
    return ". ".join([found, *(f"{check.what}: {check.detail}" for check in first)])


async def examine(settings: Settings) -> list[Check]:
    """All checks. An unavailable server is a check that is wrong."""
    examined = (_losses(settings), _kafka(settings), _mongodb(settings), clocks(settings), _workers(settings))
    return [check for checks in await asyncio.gather(*examined) for check in checks]


async def _workers(settings: Settings) -> list[Check]:
    """Whether a worker reads every partition. Empty if a server is unavailable: other checks say that."""
    try:
        async with kafka_consumer(settings) as consumer, database(settings) as db:
            topics = [settings.kafka.topic(api) for api in APIS]
            unread = await asyncio.gather(*(unread_partitions(consumer, db, topic) for topic in topics))
    except NotAllowed as error:
        return [_not_checked("workers", error)]
    except (NotReachable, SettingsError):
        return []
    return [check for topic, sentences in zip(topics, unread, strict=True) for check in unread_checks(topic, sentences)]


def unread_checks(topic: str, sentences: Sequence[str]) -> list[Check]:
    """Warnings, not errors: waiting records are counted when a worker reads them."""
    what = f"workers of {topic}"
    if not sentences:
        return [Check(what, "ok", "every partition with records is read")]
    mend = 'They are not counted until one does. Start workers, or see docs/operations.md, "A partition is not read"'
    return [Check(what, "warning", f"{sentence}. {mend}") for sentence in sentences]


async def _losses(settings: Settings) -> list[Check]:
    """Lost records. Empty if a server is unavailable: other checks say that."""
    try:
        return losses_checks(await find_losses(settings))
    except NotAllowed as error:
        return [_not_checked("records", error)]
    except (NotReachable, SettingsError):
        return []


def losses_checks(losses: Sequence[Loss]) -> list[Check]:
    if not losses:
        return [Check("records", "ok", "none are lost")]
    lost = [Check("records", "wrong", loss_text(loss)) for loss in open_losses(losses)]
    return [*lost, *(Check("records", "warning", loss_text(one)) for one in losses if one.accepted is not None)]


async def _kafka(settings: Settings) -> list[Check]:
    try:
        async with kafka_admin(settings) as admin:
            reached = Check("kafka", "ok", f"{settings.kafka.bootstrap_servers} answers")
            topics = [await _topic(admin, settings, api) for api in APIS]
            return [reached, *(check for checks in topics for check in checks)]
    except (NotReachable, SettingsError) as error:
        mend = "Nothing is accepted without it. Start Kafka, or correct kafka.bootstrap_servers"
        return [Check("kafka", "wrong", f"{error}. {mend}")]


async def _topic(admin: AIOKafkaAdminClient, settings: Settings, api: Api) -> list[Check]:
    name = settings.kafka.topic(api)
    if name not in await admin.list_topics():
        missing = "missing: no batch of this API is accepted. Run `tallymill init`"
        return [Check(f"topic {name}", "wrong", missing)]
    config = (await topic_config(admin, name)).in_force
    shape = await topic_shape(admin, name)
    wanted = requirements.topic_config(settings.kafka, settings.limits, api)
    return topic_checks(name, shape, config, wanted, settings.kafka)


def topic_checks(
    name: str, shape: TopicShape, config: Mapping[str, str], wanted: Mapping[str, str], kafka: KafkaSettings
) -> list[Check]:
    """Checks of a topic's settings, partitions and replicas. `config`: in force; `wanted`: what must be."""
    what, found = f"topic {name}", shape.partitions
    wrong = [*requirements.wrong_topic_config(config, wanted), *filter(None, [too_few_partitions(found, kafka)])]
    warnings = [*topic_risks(config, shape, kafka), *filter(None, [more_partitions(found, kafka)])]
    checks = [Check(what, "wrong", problem) for problem in wrong]
    if not checks:
        checks = [Check(what, "ok", _topic_text(shape, config))]
    return [*checks, *(Check(what, "warning", warning) for warning in warnings)]


def _topic_text(shape: TopicShape, config: Mapping[str, str]) -> str:
    """What was looked at, where nothing is wrong."""
    found, kept_days = shape.partitions, int(config["retention.ms"]) / 1000 / DAY_SECONDS
    return (
        f"{found} partitions, for at most {found} workers; records kept for {kept_days:g} days; {MIN_IN_SYNC} "
        f"{config.get(MIN_IN_SYNC)} of {shape.replicas} replicas; {UNCLEAN} {config.get(UNCLEAN)}"
    )


async def _mongodb(settings: Settings) -> list[Check]:
    try:
        async with database(settings) as db:
            reached = [set_check(await db.client.admin.command("hello")), await _lifetime(db)]
            reached += [one for what, ask in _asked(db, settings) for one in await _if_allowed(what, ask)]
            return reached
    except (NotReachable, SettingsError) as error:
        mend = "Nothing is counted without it. Start MongoDB, or correct mongodb.uri"
        return [Check("mongodb", "wrong", f"{error}. {mend}")]


def _asked(db: AsyncDatabase[dict[str, Any]], settings: Settings) -> Iterator[tuple[str, Awaitable[Sequence[Check]]]]:
    """What the user may lack the right to ask, one after the other."""
    yield f"layout of {REQUESTS}", _layout(db)
    for index in requirements.indexes(settings.kafka, settings.limits):
        yield _name_of(index), _index(db, index)
    yield f"collection {REFUSALS}", _refusals(db, settings)
    for topic in map(settings.kafka.topic, APIS):
        yield "lineage", _lineage(db, topic)
    yield "dedupe", _dedupe(db, settings)
    yield "events", _events(db, settings)


async def _if_allowed(what: str, ask: Awaitable[Sequence[Check]]) -> Sequence[Check]:
    """The checks, or one that says which right is missing. Raises PyMongoError."""
    try:
        return await ask
    except OperationFailure as error:
        if error.code != UNAUTHORIZED or mongodb.is_lost(error):
            raise
        return [_not_checked(what, mongodb.why(error))]


def _not_checked(what: str, reason: object) -> Check:
    return Check(what, "warning", f"not checked: {reason}")


async def _layout(db: AsyncDatabase[dict[str, Any]]) -> Sequence[Check]:
    return [Check(what, "wrong", one) for what, found in (await wrong_layouts(db)).items() for one in found]


async def _refusals(db: AsyncDatabase[dict[str, Any]], settings: Settings) -> Sequence[Check]:
    return [refusals_check(await refusals_options(db), settings.mongodb.refusals_bytes)]


async def _lineage(db: AsyncDatabase[dict[str, Any]], topic: str) -> Sequence[Check]:
    return [lineage_check(topic, await newest_lineage(db, topic))]


async def _dedupe(db: AsyncDatabase[dict[str, Any]], settings: Settings) -> Sequence[Check]:
    return [cost_check(settings, await stored_requests(db))]


async def _events(db: AsyncDatabase[dict[str, Any]], settings: Settings) -> Sequence[Check]:
    return [events_check(settings, await stored_events(db))]


def set_check(hello: dict[str, Any]) -> Check:
    """Transactions need a replica set or a sharded cluster. An arbiter weakens what "majority" means."""
    if problems := requirements.wrong_mongod(hello):
        return Check("mongodb", "wrong", "; ".join(problems))
    if hello.get("arbiters"):
        arbiters = ", ".join(hello["arbiters"])
        mend = "Replace them with members that hold data (rs.remove, rs.add)"
        risk = "if one data member is unavailable, nothing can be committed"
        return Check("mongodb", "warning", f"the set has arbiters ({arbiters}): {risk}. {mend}")
    if "setName" not in hello:
        return Check("mongodb", "ok", "sharded cluster")
    members = len(hello.get("hosts", ())) or 1
    return Check("mongodb", "ok", f"replica set {hello['setName']}, {members} member{'s' * (members != 1)}")


async def _lifetime(db: AsyncDatabase[dict[str, Any]]) -> Check:
    """Mongos does not know it, and a user may lack the privilege to read it."""
    try:
        found = await db.client.admin.command({"getParameter": 1, LIFETIME: 1})
    except OperationFailure as error:
        return lifetime_check(None, mongodb.why(error))
    return lifetime_check(found[LIFETIME])


def lifetime_check(seconds: float | None, unknown: str = "") -> Check:
    risk = lifetime_risk(seconds, unknown)
    if risk:
        return Check("transactions", risk.state, risk.sentence)
    return Check("transactions", "ok", f"{LIFETIME} is {seconds:g}")


def _name_of(index: requirements.Index) -> str:
    return f"index {index.collection}.{index.name}"


async def _index(db: AsyncDatabase[dict[str, Any]], index: requirements.Index) -> Sequence[Check]:
    what = _name_of(index)
    found = (await db[index.collection].index_information()).get(index.name)
    if found is None:
        return [Check(what, "wrong", f"missing: {requirements.missing_index(index)}. Run `tallymill init`")]
    problem = requirements.wrong_index(found, index)
    return [Check(what, "wrong" if problem else "ok", problem or "exists")]


def refusals_check(options: Mapping[str, Any] | None, size_bytes: int) -> Check:
    """A warning: without it refusals can't be looked up, but no event is lost."""
    what = f"collection {REFUSALS}"
    if problem := requirements.wrong_refusals(options, size_bytes):
        return Check(what, "warning", problem)
    found: int = (options or {}).get("size", 0)
    if abs(found - size_bytes) >= ROUNDED_BYTES:
        change = f'db.runCommand({{collMod: "{REFUSALS}", cappedSize: {size_bytes}}}) (MongoDB 6.0 or later)'
        return Check(
            what,
            "warning",
            f"its size is {found} bytes, mongodb.refusals_bytes is {size_bytes}. To change it: {change}",
        )
    return Check(what, "ok", f"capped at {found} bytes")


def lineage_check(topic: str, newest: dict[str, Any] | None) -> Check:
    if newest is None:
        return Check("lineage", "wrong", f"topic {topic} has no lineage: no worker starts. Run `tallymill init`")
    return Check("lineage", "ok", f"{newest['_id']} of {topic}, generation {newest['generation']}")
