"""What the exactly-once promise requires of Kafka and MongoDB, and which requirements a server breaks. Pure.

`init` sets them up, `doctor` checks them, and worker and ingress refuse to start if one is broken. Every message says
what was found, what is required, why, and what to change.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.checkpoints import LAYOUT
from schemas.documents import DEFINITIONS, EVENTS, EXCEPTIONS, REFUSALS, REQUESTS, TITLES
from schemas.settings import Api, KafkaSettings, Limits

# Key and fixed headers of a record, and Kafka's own framing.
ENVELOPE_BYTES = 16 * 1024
# The most that `judged` needs for one refused period or update: `[99999,99999,"INVALID_UPDATE_VALUE"],` is 37.
JUDGED_BYTES_PER_UPDATE = 48

# With more than one arbiter, a majority of the votes need not be a majority of the data (MongoDB's manual).
MAX_ARBITERS = 1


def max_record_bytes(limits: Limits, api: Api = "games") -> int:
    """The largest record that the limits of any app allow: body and envelope."""
    if api == "analytics":
        return max(one.max_analytics_body_bytes for one in limits.everyones()) + ENVELOPE_BYTES
    return max(
        one.max_body_bytes + ENVELOPE_BYTES + JUDGED_BYTES_PER_UPDATE * one.max_updates_per_request
        for one in limits.everyones()
    )


# The topic.


@dataclass(frozen=True, slots=True)
class _TopicRule:
    """Whether a value is acceptable, why it matters, and what can be changed instead of the topic."""

    will_do: Callable[[str, str], bool]
    reason: str
    instead: str = ""


def _same(found: str, wanted: str) -> bool:
    return found == wanted


def _at_least(found: str, wanted: str) -> bool:
    """A negative value means no limit."""
    return int(found) < 0 or int(found) >= int(wanted)


def _at_most(found: str, wanted: str) -> bool:
    """A negative value means no limit."""
    return 0 <= int(found) <= int(wanted)


def _none(found: str, _wanted: str) -> bool:
    return int(found) < 0


_KEPT_INSTEAD = "set kafka.retention_seconds to the retention of the topic"

# If a setting breaks several rules, the first one is reported.
_TOPIC_RULES: Sequence[tuple[str, _TopicRule]] = (
    ("cleanup.policy", _TopicRule(_same, "compaction removes records that were never counted")),
    (
        "message.timestamp.type",
        _TopicRule(
            _same, "a record's time must be the broker's, because ids expire by it and a client's clock may be wrong"
        ),
    ),
    (
        "retention.ms",
        _TopicRule(
            _at_most,
            "ids are remembered for dedupe_window + retention, so a topic that keeps more may count twice",
            _KEPT_INSTEAD,
        ),
    ),
    (
        "retention.ms",
        _TopicRule(
            _at_least,
            "Kafka removes records sooner than kafka.retention_seconds says, counted or not: records that no worker "
            "has read by then are lost",
            _KEPT_INSTEAD,
        ),
    ),
    (
        "retention.bytes",
        _TopicRule(
            _none,
            "a partition above this size loses its oldest records, counted or not, whatever their age",
        ),
    ),
    (
        "max.message.bytes",
        _TopicRule(_at_least, "the largest allowed body must fit, with its envelope", "lower limits.max_body_bytes"),
    ),
)


def topic_config(kafka: KafkaSettings, limits: Limits, api: Api = "games") -> dict[str, str]:
    """Settings of an API's topic that the promise depends on."""
    return {
        "cleanup.policy": "delete",
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(kafka.retention_seconds * 1000),
        "retention.bytes": "-1",
        "max.message.bytes": str(max_record_bytes(limits, api)),
    }


def wrong_topic_config(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """One message for each setting that breaks the promise. A larger max.message.bytes is fine."""
    broken: dict[str, str] = {}
    for name, rule in _TOPIC_RULES:
        if name not in found or not rule.will_do(found[name], wanted[name]):
            broken.setdefault(name, _topic_sentence(name, rule, found.get(name), wanted[name]))
    return list(broken.values())


def broken_settings(found: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The required values of the settings that break the promise."""
    return {
        name: wanted[name]
        for name, rule in _TOPIC_RULES
        if name not in found or not rule.will_do(found[name], wanted[name])
    }


def _topic_sentence(name: str, rule: _TopicRule, found: str | None, wanted: str) -> str:
    instead = f", or {rule.instead}" if rule.instead else ""
    return (
        f"{name} is {found}, must be {wanted}: {rule.reason}. "
        f"Change the topic (kafka-configs.sh --alter --add-config {name}={wanted}){instead}"
    )


# The indexes.


@dataclass(frozen=True, slots=True)
class Index:
    """One index. `expire_seconds` makes it a TTL index; `settings` names the settings that it is computed from.

    `needed`: no process starts without it. Every TTL index is needed.
    """

    collection: str
    key: str
    expire_seconds: int | None = None
    settings: str = "limits.dedupe_window_seconds + kafka.retention_seconds"
    needed: bool = False

    @property
    def name(self) -> str:
        """The default name in MongoDB."""
        return f"{self.key}_1"


def remembered_seconds(kafka: KafkaSettings, limits: Limits) -> int:
    """The lifetime of a requestId's document: a lagging worker, or one that reads again, must still find it."""
    return limits.dedupe_window_seconds + kafka.retention_seconds


def known_seconds(kafka: KafkaSettings, limits: Limits, api: Api) -> int:
    """The age up to which a record's requestId or items are still known: the lifetime of their documents."""
    if api == "analytics":
        return limits.event_retention_seconds + kafka.retention_seconds
    return remembered_seconds(kafka, limits)


def indexes(kafka: KafkaSettings, limits: Limits) -> tuple[Index, ...]:
    """All indexes except `_id`. Each makes every flush more expensive, so there are few."""
    seconds = remembered_seconds(kafka, limits)
    return (
        # Without it, each flush would read all ids of all players.
        Index(REQUESTS, "keys", needed=True),
        Index(REQUESTS, "at", seconds),
        Index(EXCEPTIONS, "at", seconds),
        Index(DEFINITIONS, "app"),
        Index(DEFINITIONS, "updatedAt"),
        Index(
            EVENTS,
            "receivedAt",
            known_seconds(kafka, limits, "analytics"),
            "limits.event_retention_seconds + kafka.retention_seconds",
        ),
        Index(TITLES, "by"),
    )


def missing_index(wanted: Index) -> str:
    """What follows without an index."""
    if wanted.needed:
        return "no process starts, because every flush would read the whole collection"
    if wanted.expire_seconds is not None:
        return "no process starts, because documents would never expire and fill the disk"
    return f"lookups read the whole collection {wanted.collection}, and slow down as it grows"


def wrong_index(found: Mapping[str, Any], wanted: Index) -> str | None:
    """What is wrong with an index of the wanted name. A longer TTL is fine; a shorter one forgets ids too soon."""
    seconds = found.get("expireAfterSeconds")
    if wanted.expire_seconds is None or (seconds is not None and seconds >= wanted.expire_seconds):
        return None
    return _ttl_sentence(wanted, wanted.name, seconds)


def _ttl_sentence(wanted: Index, name: str, found: object) -> str:
    collection, seconds = wanted.collection, wanted.expire_seconds
    change = f'{{collMod: "{collection}", index: {{name: "{name}", expireAfterSeconds: {seconds}}}}}'
    return (
        f"index {collection}.{name}: expireAfterSeconds is {found}, must be at least {seconds} "
        f"({wanted.settings}): ids would expire while they can still be sent again, and count twice. "
        f"Change it (db.runCommand({change})), or lower these settings"
    )


def wrong_indexes(found: Mapping[str, Mapping[str, Any]], wanted: Index) -> list[str]:
    """What is wrong with the indexes of a collection: the wanted one, and any other with a shorter TTL."""
    if wanted.name not in found and (wanted.needed or wanted.expire_seconds is not None):
        return [f"index {wanted.collection}.{wanted.name} is missing: run `tallymill init`"]
    if wanted.expire_seconds is None:
        return []
    others = {name: index for name, index in found.items() if "expireAfterSeconds" in index and name != wanted.name}
    problems = [wrong_index(found[wanted.name], wanted)]
    problems += [
        _ttl_sentence(wanted, name, index["expireAfterSeconds"])
        for name, index in others.items()
        if index["expireAfterSeconds"] < wanted.expire_seconds
    ]
    return [problem for problem in problems if problem]


# The layout of `requests`.


def wrong_requests(earlier: Mapping[str, Any] | None) -> list[str]:
    """What is wrong with the ids that are stored. `earlier`: a document of the earlier layout (EARLIER_LAYOUT)."""
    return [] if earlier is None else [_EARLIER_LAYOUT]


_EARLIER_LAYOUT = (
    f"collection {REQUESTS} has the layout of an earlier version, one document for each requestId, which this version "
    "can't read: every batch that is sent again would count twice. Set mongodb.database to a new database and run "
    "`tallymill init`. To keep the counts instead: stop all workers, wait until no client resends a batch of before "
    f"(limits.dedupe_window_seconds is how long one may), drop the collection (db.{REQUESTS}.drop()) and run "
    "`tallymill init`"
)


def wrong_layout(newer: Mapping[str, Any] | None) -> list[str]:
    """What is wrong with the database. `newer`: a lineage of a newer version (NEWER_LAYOUT)."""
    if newer is None:
        return []
    problem = (
        f"the database has layout {newer['layout']}, written by `tallymill init` of a newer version. This version "
        f"reads layout {LAYOUT}: it could count twice, so it does nothing. Run the newer version, or set "
        "mongodb.database to another database"
    )
    return [problem]


# The sample of refusals.


def wrong_refusals(options: Mapping[str, Any] | None, refusals_bytes: int) -> str | None:
    """What is wrong with the collection `refusals`. `options` is None if it does not exist."""
    if options is None:
        return "missing: run `tallymill init`; until then no refusals are kept"
    if options.get("capped"):
        return None
    convert = f'{{convertToCapped: "{REFUSALS}", size: {refusals_bytes}}}'
    return (
        "not capped: it would grow for ever, so nothing is written to it. Change it (db.runCommand("
        f"{convert})), or drop it (db.{REFUSALS}.drop()) and run `tallymill init`"
    )


# MongoDB itself.


def wrong_mongod(hello: Mapping[str, Any]) -> list[str]:
    """What is wrong with a server by its reply to `hello`: no transactions, or a majority that can lose data."""
    if "setName" not in hello:
        # `isreplicaset` marks a member of a replica set that is not initiated yet.
        stands_alone = hello.get("msg") != "isdbgrid" and not hello.get("isreplicaset")
        return [_STANDALONE] if stands_alone else []
    return _weak_majority(hello)


def _weak_majority(hello: Mapping[str, Any]) -> list[str]:
    arbiters: list[str] = hello.get("arbiters", [])
    holders = len(hello.get("hosts", ())) + len(hello.get("passives", ()))
    members = holders + len(arbiters)
    if len(arbiters) <= MAX_ARBITERS and (holders > members // 2 or not arbiters):
        return []
    problem = (
        f"arbiters {arbiters} of replica set {hello['setName']} make majority weak ({holders} of {members} members "
        "hold data): writes that a majority has confirmed could be lost. Replace them with members that hold data "
        "(rs.remove, rs.add)"
    )
    return [problem]


_STANDALONE = (
    "mongodb.uri names a standalone server, which has no transactions: start it with --replSet and call "
    "rs.initiate(), or set mongodb.uri to a replica set or a sharded cluster"
)
