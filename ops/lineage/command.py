"""`tallymill lineage`, `lineage start` and `lineage accept-loss`."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import cast

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from ops.config import Settings, load_settings
from ops.connect import database, kafka_admin, kafka_consumer
from ops.layout import require_no_newer_layout
from ops.lineage.context import Document, PartitionState, checkpoints_of, lineages_of, partition_states, partitions_now
from ops.lineage.cuts import cuts_of
from ops.lineage.find import find_losses, known_of, newest_of, topics_of
from ops.lineage.group import members_of
from ops.lineage.losses import Loss, Offsets, Why, loss_text, losses_of, lost_text, open_losses
from ops.lineage.offsets import (
    BadStart,
    given_up,
    lost_with_topic,
    starts_of,
    to_be_checked,
    too_old,
    warnings_of,
)
from ops.lineage.store import Database, NewLineage, StartedMeanwhile, accept, insert_lineage
from ops.output import (
    EXIT_BAD_INPUT,
    EXIT_OK,
    EXIT_WRONG,
    complain,
    confirmed,
    did_you_mean,
    is_piped,
    print_table,
    remark,
    say,
)
from ops.server_clock import server_now
from ops.topic import first_times, topic_now
from schemas.requirements import known_seconds

BAD_STATES = ("lost", "stopped")

COLUMNS = ("partition", "next", "last", "begin", "end", "state", "detail")


@dataclass(frozen=True, slots=True)
class StartOptions:
    """What the user asked for."""

    topic: str | None
    start: str
    reason: str
    yes: bool
    accept_loss: bool = False


async def show(*, as_json: bool) -> int:
    """Exit status 1 if a partition of a present lineage is lost or stopped, or a loss is not accepted."""
    settings = load_settings()
    async with database(settings) as db:
        known = await lineages_of(db)
        checkpoints = {key: one for lineage in known for key, one in (await checkpoints_of(db, lineage["_id"])).items()}
        topics = await topics_of(settings, known)
        newest = newest_of(known)
        cuts = await cuts_of(settings, newest, checkpoints, topics)
        losses = losses_of(await known_of(db, known, checkpoints, topics, cuts))
    found = []
    for lineage in known:
        ours = {key: one for key, one in checkpoints.items() if key.partition("/")[0] == lineage["_id"]}
        topic, in_force = topics[lineage["topic"]], lineage in newest
        found.append((lineage, partition_states(lineage, ours, topic, cuts, in_force=in_force)))
    if as_json:
        shown = [
            {
                **lineage,
                "partitions": [asdict(one) for one in states],
                "losses": [loss.as_json() for loss in losses if loss.lineage == lineage["_id"]],
            }
            for lineage, states in found
        ]
        say(json.dumps(shown, default=str))
    else:
        if text := lost_text(losses):
            remark(text)
        _print(found)
    bad = any(one.state in BAD_STATES for _, states in found for one in states)
    return EXIT_WRONG if bad or open_losses(losses) else EXIT_OK


async def accept_loss(lineage: str, reason: str, *, as_json: bool) -> int:
    """Exit status 0: accepted, or nothing to accept. 2: no reason, or no such lineage."""
    settings = load_settings()
    if not reason.strip():
        complain("--reason: must not be empty. It is stored and shown later")
        return EXIT_BAD_INPUT
    losses = [loss for loss in open_losses(await find_losses(settings)) if loss.lineage == lineage]
    async with database(settings) as db:
        await require_no_newer_layout(db)
        known = {one["_id"] for one in await lineages_of(db)}
        if lineage not in known:
            complain(f"There is no lineage {lineage}{did_you_mean(lineage, known)}. List them with `tallymill lineage`")
            return EXIT_BAD_INPUT
        await accept(db, lineage, [loss.as_range() for loss in losses], reason.strip())
    if as_json:
        say(json.dumps({"lineage": lineage, "accepted": [loss.as_range() for loss in losses]}))
    else:
        say(
            lost_text([replace(loss, accepted=reason.strip()) for loss in losses])
            or f"Lineage {lineage} has no losses to accept"
        )
    return EXIT_OK


def _print(found: Sequence[tuple[Document, Sequence[PartitionState]]]) -> None:
    """Each lineage with its table. When piped, one table of all partitions: `partition` begins with the lineage."""
    rows: list[tuple[str, ...]] = []
    for lineage, states in found:
        remark(
            f"{lineage['_id']}: {lineage['topic']}, generation {lineage['generation']}, from {lineage['from']} "
            f"({lineage['reason']}; {lineage['startedAt']:%Y-%m-%d %H:%M:%S} UTC)\n"
            f"cluster {lineage['cluster']}, topic id {lineage['topicId']}"
        )
        ours = [_row(one) for one in states]
        if not is_piped():
            print_table(COLUMNS, ours)
        rows += ours
    if is_piped():
        print_table(COLUMNS, rows)


def _row(one: PartitionState) -> tuple[str, ...]:
    offsets = ("" if at is None else str(at) for at in (one.next, one.last, one.begin, one.end))
    return (one.partition, *offsets, one.state, one.detail)


async def start(options: StartOptions, *, as_json: bool) -> int:
    """Exit status 0: started. 1: refused because of the present state. 2: bad options, or not confirmed."""
    settings = load_settings()
    if not options.reason.strip():
        complain("--reason: must not be empty. It is stored and shown later")
        return EXIT_BAD_INPUT
    name = options.topic or settings.kafka.records_topic
    async with database(settings) as db, kafka_consumer(settings) as consumer, kafka_admin(settings) as admin:
        await require_no_newer_layout(db)
        try:
            new, warnings = await _planned(_Place(settings, db, consumer, admin), name, options)
        except BadStart as error:
            complain("\n".join(error.problems))
            return EXIT_BAD_INPUT
        except Refused as error:
            complain(str(error))
            return EXIT_WRONG
        lost = [str(loss) for loss in lost_by(new)]
        offsets = json.dumps({str(partition): offset for partition, offset in sorted(new.starts.items())})
        starts = f"New lineage of {name}, generation {new.generation}, from offsets {offsets}"
        complain("\n".join([starts, *map(loss_text, lost_by(new)), *warnings]))
        if not (options.yes or _confirmed()):
            complain("Nothing was started. To confirm, add --yes")
            return EXIT_BAD_INPUT
        return await _start(db, new, [*lost, *warnings], as_json=as_json)


class Refused(Exception):
    """The present state does not allow a new lineage. The message says what to do."""


@dataclass(frozen=True, slots=True)
class _Place:
    settings: Settings
    db: Database
    consumer: AIOKafkaConsumer
    admin: AIOKafkaAdminClient


async def _planned(place: _Place, name: str, options: StartOptions) -> tuple[NewLineage, list[str]]:
    """The lineage to be started, and what it leaves out. Raises BadStart, Refused."""
    topic = await topic_now(place.consumer, name)
    known = await lineages_of(place.db, name)
    if topic.identity is None or not known:
        raise BadStart(
            topic.problem or f"Topic {name} has no lineage. Run `tallymill init`, which creates the first one"
        )
    newest = known[-1]
    checkpoints = {key: one for of in known for key, one in (await checkpoints_of(place.db, of["_id"])).items()}
    kafka, api = place.settings.kafka, place.settings.kafka.api_of(name)
    if topic.is_of(newest) and (members := await members_of(place.admin, kafka.group_of(api))):
        raise Refused(
            f"{members} worker(s) of group {kafka.group_of(api)} are running in lineage {newest['_id']}. Stop them "
            f"first. A killed worker stays a member of the group until its session times out"
        )
    cuts = await cuts_of(place.settings, [newest], checkpoints, {name: topic})
    partitions = partitions_now(topic, known, checkpoints, cuts)
    starts = starts_of(options.start, partitions)
    checked = to_be_checked(options.start, starts, partitions)
    times = await first_times(place.consumer, name, {number: starts[number] for number in checked}) if checked else {}
    if problems := too_old(times, known_seconds(kafka, place.settings.limits, api), await server_now(place.db)):
        raise Refused("\n".join(problems))
    behind = {} if topic.is_of(newest) else await checkpoints_of(place.db, newest["_id"])
    lost = [*lost_with_topic(behind), *given_up(starts, partitions)]
    reason = options.reason.strip()
    accepted = reason if options.accept_loss else None
    new = NewLineage(topic.identity, newest["generation"] + 1, starts, reason, lost, accepted)
    return new, warnings_of(starts, partitions)


def lost_by(new: NewLineage) -> list[Loss]:
    """What a new lineage gives up, as it is shown."""
    topic = new.topic.topic
    return [
        Loss(topic, "", Offsets(one["partition"], one["from"], one["to"]), cast("Why", one["why"])) for one in new.lost
    ]


def _confirmed() -> bool:
    return bool(confirmed("Start this lineage?"))


async def _start(db: Database, new: NewLineage, warnings: list[str], *, as_json: bool) -> int:
    try:
        lineage = await insert_lineage(db, new)
    except StartedMeanwhile as error:
        complain(f"Nothing was started: at the same time someone else started lineage {error}. See `tallymill lineage`")
        return EXIT_WRONG
    if as_json:
        shown = {"warnings": warnings, "lost": list(new.lost)}
        started = {"lineage": lineage, "generation": new.generation, "from": dict(new.starts), **shown}
        say(json.dumps(started))
    else:
        say(f"Lineage {lineage} is started. Start the workers now")
        if new.lost and new.accepted is None:
            say(
                f"`tallymill verify` names the losses until you run: "
                f'tallymill lineage accept-loss {lineage} --reason "..."'
            )
    return EXIT_OK
