"""The console on the in-memory store, called as an ASGI app without a socket, and the documents in its store."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from console.access.callers import Callers
from console.access.links import Links
from console.access.oidc.issuer import OidcIssuer
from console.access.sealed import Seal
from console.access.sessions import CookieSessions
from console.access.setup import LOGIN_PURPOSE
from console.access.sign_in import Signing, sign_in_routes
from console.access.site import Site
from console.app import Sides, create_app
from console.config import ConsoleSettings
from console.gate import Gate
from console.health import MongoWatch
from console.memory import MemoryStore
from console.metrics import Metrics
from console.observer.loop import Observer
from console.observer.snapshot import Snapshot
from console.ports import Store
from console.reading import Parts
from console.redrive import Letter
from schemas.coordinates import PartitionId
from schemas.documents import event_key, period_count_key, utc
from schemas.wire.console_replies import READ_SCOPE
from serving.tokens.authenticator import Authenticator
from serving.tokens.bearer import TokenCheck
from tests.clock import TestClock
from tests.console.snapshots import example_snapshot
from tests.ingress.rig import signed_tokens, token

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
# A midnight in UTC.
MIDNIGHT = 1_795_392_000_000


def read_token(**changed: object) -> str:
    return token(**{"scope": READ_SCOPE, "exp": int(time.time()) + 3600, **changed})


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: Sequence[str] = ()
    """Each Set-Cookie."""

    @property
    def json(self) -> Any:  # noqa: ANN401 JSON is any
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        return str(self.json["error"]["errors"][0]["reason"])

    @property
    def fields(self) -> list[str]:
        return [one["field"] for one in self.json["error"]["details"][0]["fieldViolations"]]


@dataclass
class Draining:
    draining: bool = False


@dataclass
class Observed:
    """An observer that stands still. A test gives it another snapshot."""

    snapshot: Snapshot = field(default_factory=example_snapshot)


@dataclass
class Redriving:
    """Dead letters in memory. `done`: what was redriven."""

    letters: dict[str, str] = field(default_factory=dict)
    """The reason of each, by id."""
    problems: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    is_able: bool = True
    failure: type[Exception] | None = None
    stops_after: int = 1_000

    async def choose(self, ids: Sequence[str] | None, cause: str | None) -> Sequence[Letter]:
        chosen = [
            one for one, reason in self.letters.items() if (ids is None or one in ids) and (cause or "") in reason
        ]
        return [Letter(one, self.problems.get(one)) for one in chosen if one not in self.done]

    async def redrive(self, ids: Sequence[str]) -> tuple[int, str]:
        if self.failure:
            raise self.failure
        self.done += ids[: self.stops_after]
        return min(len(ids), self.stops_after), "" if len(ids) <= self.stops_after else "stopped after 8 s"


SESSION_KEY = b"the key of sessions in tests"
PORT = 8090


def signing(site: Site | None = None, issuer: OidcIssuer | None = None) -> Signing:
    """By default a console on a loopback address, which people open by links."""
    site, keys = site or Site(None, PORT), (SESSION_KEY,)
    links = Links([] if issuer else keys, time.time() - 1)
    return Signing(site, CookieSessions(site, keys, 3600), links, Seal(keys, LOGIN_PURPOSE), issuer)


class Rig:
    """A console. Its keys are loaded and its store is available."""

    def __init__(
        self,
        real: Store | None = None,
        tokens: TokenCheck | None = None,
        observer: "Observed | Observer | None" = None,
        signing: Signing | None = signing(),  # noqa: B008 it holds nothing that a test changes but the codes it has used
        **settings: object,
    ) -> None:
        self.store = real if isinstance(real, MemoryStore) else MemoryStore()
        store = real or self.store
        self.stopping = Draining()
        self.settings = ConsoleSettings.model_validate(settings)
        self.signing = signing
        self.redriver = Redriving()
        self.metrics = Metrics()
        authenticator = Authenticator(tokens or signed_tokens(TestClock()), self.metrics.tokens.rejected.note)
        self.callers = Callers(authenticator, signing.sessions if signing else None)
        self.watch = MongoWatch(store)
        gate = Gate(self.settings.max_concurrent_queries, self.settings.query_timeout_seconds)
        parts = Parts(self.settings, self.callers, store, gate, self.metrics)
        self.observer = observer or Observed()
        sides = Sides(self.observer, sign_in_routes(self.callers, signing), self.redriver)
        self.app = create_app(parts, self.watch, self.stopping, sides)

    async def get(
        self,
        path: str,
        query: Mapping[str, object] | None = None,
        bearer: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A GET, by default with a valid token. A parameter that is None is left out."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        sent = {"authorization": f"Bearer {read_token() if bearer is None else bearer}", **(headers or {})}
        return await self.call("GET", path, urlencode(given), sent)

    async def post(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> Answer:
        """A POST with this JSON, as its headers say who."""
        sent = {"content-type": "application/json", **(headers or {})}
        return await self.call("POST", path, headers=sent, body=json.dumps(body).encode())

    async def call(
        self, method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        sent: list[dict[str, Any]] = []
        raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": raw}

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401 ASGI's message
            sent.append(dict(message))

        await self.app(scope, receive, send)
        start, *rest = sent
        found = {name.decode(): value.decode() for name, value in start["headers"]}
        cookies = [value.decode() for name, value in start["headers"] if name == b"set-cookie"]
        return Answer(start["status"], found, b"".join(part["body"] for part in rest), cookies)


def period_counts(
    counted: Iterable[tuple[int, str, int]], partition: int = 0, app: str = "demo", source: str = "games"
) -> dict[str, dict[str, Any]]:
    """The documents of period_counts that one partition has for (milliseconds of a minute, event, count)."""
    hours: dict[tuple[int, str], Counter[str]] = {}
    for at, event, count in counted:
        minutes = hours.setdefault((at - at % HOUR, event), Counter())
        minutes[f"{at % HOUR // MINUTE:02}"] += count
    documents = {}
    for (hour, event), minutes in hours.items():
        key = period_count_key(utc(hour), app, source, event, PartitionId("r1", partition))
        named = {"hour": utc(hour), "app": app, "source": source, "event": event}
        documents[key] = {"_id": key, **named, "count": minutes.total(), "minutes": dict(minutes)}
    return documents


def event(
    identity: str, received: int, actor: str = "ann", title: str = "Started", **changed: object
) -> dict[str, Any]:
    """A document of `events`."""
    return {
        "_id": event_key("demo", actor, identity),
        "app": "demo",
        "actor": actor,
        "anonymous": False,
        "at": utc(received - 5),
        "event": title,
        "data": {"level": 3},
        "receivedAt": utc(received),
        "from": "r1/00/7",
    } | changed
