"""The ingress on in-memory Kafka and MongoDB, called as an ASGI app without a socket; and what tests say to it."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey
from prometheus_client import CollectorRegistry

from consumer.core.analytics.decode import Pool, decode_pool
from consumer.core.records import Record
from ingress.app import AppParts, create_app
from ingress.auth.authenticator import Authenticator
from ingress.auth.sessions import SessionKey, Sessions, WithSessions
from ingress.clock_watch import ClockWatch
from ingress.config import ANY_APP, IngressSettings, TokenSettings
from ingress.delivery.channel import ApiChannel
from ingress.delivery.lineage import Lineage
from ingress.delivery.read_your_writes import CheckpointWatch
from ingress.dependencies import Dependencies
from ingress.games.definitions import Definitions
from ingress.http.body_budget import BodyBudget
from ingress.http.metrics import Metrics
from ingress.http.rate_limit import AppRates
from ingress.memory import MemoryRecord, MemoryStore, MemoryTopic
from ingress.ports import Rejection
from ingress.refusals.recorder import RefusalRecorder
from schemas.analytics.items import Item
from schemas.coordinates import Coordinates
from schemas.documents import ALREADY_UPDATED, PAYLOAD_DIFFERS
from schemas.games.body import parse_request
from schemas.games.judging import accepted_updates, payload_crc
from schemas.records.envelope import unseal
from schemas.records.signing import SigningKeys
from schemas.settings import Api, Limits
from serving.clock import Clock
from serving.http.request import Asgi
from serving.process_metrics import DependencyMetrics
from serving.tokens.identity import ClaimRules
from serving.tokens.keys import IssuerKeys
from serving.tokens.metrics import TokenMetrics
from serving.tokens.signed import SignedTokens
from tests.clock import START_MILLIS, TestClock

NOW = START_MILLIS
ISSUER, AUDIENCE = "https://issuer.test", "tallymill"
RULES = ClaimRules(ISSUER, AUDIENCE)
GAMES = "https://www.googleapis.com/auth/games"
SIGNING = SigningKeys((b"sixteen bytes or more",))
RECORD = "/games/v1/events"
KEPT_SECONDS = 14 * 86_400


@cache
def own_key() -> OKPKey:
    """The key of anonymous sessions."""
    return OKPKey.generate_key("Ed25519")


@cache
def issuer_key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"kid": "k1"})


def public_keys() -> KeySet:
    return KeySet.import_key_set({"keys": [issuer_key().as_dict(private=False)]})


def claims(**changed: object) -> dict[str, object]:
    """Claims of a good token; None takes one out."""
    good: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": NOW // 1000 + 3600,
        "sub": "ann",
        "app": "demo",
        "scope": GAMES,
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


def token(**changed: object) -> str:
    return jwt.encode({"alg": "Ed25519", "kid": "k1"}, claims(**changed), issuer_key(), algorithms=["Ed25519"])


def update(event: str = "LEVEL_UP", count: object = "1") -> dict[str, object]:
    return {"definitionId": event, "updateCount": count}


def period(*updates: dict[str, object], start: int = NOW - 60_000, end: int = NOW - 1_000) -> dict[str, object]:
    return {
        "timePeriod": {"periodStartMillis": str(start), "periodEndMillis": str(end)},
        "updates": list(updates),
    }


def batch(*periods: dict[str, object], request_id: object = "7", sent_millis: int = NOW) -> bytes:
    return json.dumps(
        {"requestId": request_id, "currentTimeMillis": str(sent_millis), "timePeriods": list(periods)}
    ).encode()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 JSON is any
        return json.loads(self.body)


@dataclass
class Worker:
    """Counts published records at once, unless it is paused."""

    store: MemoryStore
    rests: bool = False
    seen: dict[tuple[bytes, int], int] = field(default_factory=dict)

    def heard(self, record: MemoryRecord) -> None:
        if self.rests:
            return
        at = Coordinates("r1", record.partition, record.offset)
        request = parse_request(record.body)
        envelope = unseal(record.key, record.headers, record.body, NOW, SIGNING)
        assert envelope.judged is not None
        accepted = accepted_updates(request, envelope.judged)
        crc, key = payload_crc(accepted), (record.key, request.request_id)
        if self.seen.setdefault(key, crc) != crc:
            self.store.pass_over(at, Rejection("duplicate", PAYLOAD_DIFFERS))
        elif (envelope.app, envelope.player, request.request_id) in self.store.counted:
            self.store.pass_over(at, Rejection("duplicate", ALREADY_UPDATED))
        else:
            self.store.counted[envelope.app, envelope.player, request.request_id] = NOW
            for one in accepted:
                self.store.count(at, envelope.actor, {one.definition_id: one.update_count})


@dataclass
class PoolWorker:
    """Registers pools at once: items by the `_id` of their documents, as a worker's core reads them."""

    store: MemoryStore
    rests: bool = False
    refuses: bool = False
    items: dict[str, Item] = field(default_factory=dict)
    pools: list[Pool] = field(default_factory=list)

    def heard(self, record: MemoryRecord) -> None:
        if self.rests:
            return
        at = Coordinates("r2", record.partition, record.offset)
        if self.refuses:
            self.store.pass_over(at, Rejection("dead", "as it was told"))
            return
        pool = decode_pool(Record(record.offset, NOW, record.key, record.body, record.headers), SIGNING)
        self.pools.append(pool)
        new = pool.items.keys() - self.items.keys()
        others = [key for key, item in pool.items.items() if self.items.get(key, item).canonical != item.canonical]
        self.items |= {key: item for key, item in pool.items.items() if key in new}
        if others:
            places = [pool.positions[list(pool.items).index(key)] for key in others]
            self.store.pass_over(at, Rejection("applied" if new else "duplicate", PAYLOAD_DIFFERS, places))
        elif new:
            self.store.count(at, "", {})
        else:
            self.store.pass_over(at, Rejection("duplicate", ALREADY_UPDATED))


@dataclass
class Draining:
    draining: bool = False


@dataclass
class Checked:
    passed: bool = True


class Rig:
    """One ingress. `limits`, the time-outs and settings of the pipeline may be given; everything else is in reach."""

    def __init__(
        self,
        limits: Limits | None = None,
        apply_seconds: float = 60,
        body_seconds: float = 60,
        body_bytes_held: int = 256 << 20,
        anonymous_apps: tuple[str, ...] = (ANY_APP,),
        **pipeline: Any,  # noqa: ANN401 any setting
    ) -> None:
        self.clock = TestClock()
        self.store = MemoryStore()
        self.store.declare("demo", "LEVEL_UP", "ENEMY_DEFEATED")
        self.worker = Worker(self.store)
        self.topic = MemoryTopic(heard=self.worker.heard)
        self.stopping = Draining()
        limits = limits or Limits()
        self.tokens = signed_tokens(self.clock)
        session_key = SessionKey(own_key())
        metrics = Metrics()
        rejected = metrics.tokens.rejected.note
        authenticator = Authenticator(WithSessions(self.tokens, session_key), anonymous_apps, rejected)
        self.shared = Dependencies(
            limits=limits,
            signing=SIGNING,
            clock=self.clock,
            authenticator=authenticator,
            bodies=BodyBudget(body_bytes_held, body_seconds),
            refusals=RefusalRecorder(self.store, self.clock, metrics),
            metrics=metrics,
            apply_timeout_seconds=apply_seconds,
        )
        self.definitions = Definitions(self.store, self.clock)
        self.pool_worker = PoolWorker(self.store)
        self.analytics_topic = MemoryTopic(heard=self.pool_worker.heard)
        self.store.lineages["tallymill.analytics"] = "r2"
        self.games = self._channel("games", self.topic, "tallymill.records")
        self.analytics = self._channel("analytics", self.analytics_topic, "tallymill.analytics")
        self.check = Checked()
        settings = IngressSettings(body_timeout_seconds=body_seconds, **pipeline)
        tokens = TokenSettings(session_key="in memory", session_apps=("demo",))
        self.clocks = ClockWatch(settings.max_clock_skew_seconds)
        parts = AppParts(
            shared=self.shared,
            games=self.games,
            analytics=self.analytics,
            definitions=self.definitions,
            store=self.store,
            kept_seconds=KEPT_SECONDS,
            sessions=Sessions(session_key, tokens, settings, metrics),
            clocks=self.clocks,
        )
        self.app: Asgi = create_app(parts, self.stopping, self.check, settings)

    def _channel(self, api: Api, topic: MemoryTopic, name: str) -> ApiChannel:
        lineage = Lineage(self.store, name)
        watch = CheckpointWatch(self.store, self.clock, lambda: lineage.current)
        return ApiChannel(api, topic, lineage, watch, AppRates(self.shared.limits))

    async def record(self, *periods: dict[str, object], request_id: object = "7", **headers: str) -> Answer:
        """POST one good batch of `periods` with a good token; headers by their name with _ for -."""
        return await self.post(batch(*periods, request_id=request_id), **headers)

    async def post(self, body: bytes, **headers: str) -> Answer:
        sent = {"authorization": f"Bearer {_good_token()}", "content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.call("POST", RECORD, sent, [body])

    async def add(self, body: bytes, path: str = "/AddEventBatch", bearer: str | None = None, **headers: str) -> Answer:
        """POST to the analytics API with a good token in the header, unless another is given; "" is none."""
        bearer = _good_token() if bearer is None else bearer
        sent = {"authorization": f"Bearer {bearer}"} if bearer else {}
        sent |= {"content-type": "application/json"} | {name.replace("_", "-"): v for name, v in headers.items()}
        return await self.call("POST", path, sent, [body])

    async def get(self, path: str, query: str = "", **headers: str) -> Answer:
        """GET with a good token, unless another is given."""
        sent = {"authorization": f"Bearer {_good_token()}", "host": "events.test"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.call("GET", f"{path}?{query}", sent)

    async def call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: Iterable[bytes] = (),
        *,
        ends: bool = True,
        leaves: bool = False,
        peer: str = "203.0.113.7",
    ) -> Answer:
        """One request; the body comes in the parts given, may never end, or its sender may leave after them."""
        client = _Client(list(body) or [b""], ends=ends and not leaves, leaves=leaves)
        await self.app(_scope(method, path, headers or {}) | {"client": (peer, 50_000)}, client.receive, client.send)
        return client.answer()

    def metric(self, name: str, **labels: str) -> float | None:
        return self.shared.metrics.registry.get_sample_value(f"tallymill_ingress_{name}", labels)


def _token_metrics() -> TokenMetrics:
    registry = CollectorRegistry()
    return TokenMetrics("ingress", registry, DependencyMetrics("ingress", registry))


def signed_tokens(clock: Clock, keys: KeySet | None = None, rules: ClaimRules = RULES) -> SignedTokens:
    """A check of tokens that has its keys already, from a source that has nothing more to say."""
    source = IssuerKeys(json.dumps((keys or public_keys()).as_dict(private=False)), 10, clock, _token_metrics())
    source.use(keys or public_keys())
    return SignedTokens(rules, source, 300)


@cache
def _good_token() -> str:
    return token()


def _scope(method: str, path: str, headers: Mapping[str, str]) -> dict[str, object]:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    path, _, query = path.partition("?")
    return {"type": "http", "method": method, "path": path, "query_string": query.encode("latin-1"), "headers": raw}


class _Client:
    """The other end of one ASGI request."""

    def __init__(self, parts: list[bytes], *, ends: bool, leaves: bool) -> None:
        self._parts = parts
        self._ends = ends
        self._leaves = leaves
        self._sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, object]:
        if not self._parts:
            if self._leaves or self._sent:  # who has read a reply that closes the connection leaves
                return {"type": "http.disconnect"}
            await asyncio.Event().wait()
        part = self._parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(self._parts) or not self._ends}

    async def send(self, message: dict[str, Any]) -> None:
        self._sent.append(message)

    def answer(self) -> Answer:
        """What was sent; status 0 if nothing was."""
        if not self._sent:
            return Answer(0, {}, b"")
        start, *rest = self._sent
        headers: dict[str, str] = {}
        for name, value in ((name.decode(), value.decode()) for name, value in start["headers"]):
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return Answer(start["status"], headers, b"".join(message["body"] for message in rest))
