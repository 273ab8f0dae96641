"""What each process and command does with its rights: all of it, so that each right is used."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final

from aiokafka import AIOKafkaProducer
from bson import Binary

from consumer.core.records import Record
from ops.config import FILE_VARIABLE, load_settings
from ops.local.status.balance import _asked
from ops.local.status.traffic import Traffic, measure
from schemas.coordinates import parse_coordinates
from schemas.documents import CHECKPOINTS, DEAD_LETTERS, EVENTS, LINEAGES, TITLES, title_key, utc
from schemas.games.scopes import GAMES_SCOPE
from schemas.records.receipt import Receipt, issue_receipt
from schemas.wire.console_replies import OPERATE_SCOPE, READ_SCOPE
from schemas.wire.refusals import REFUSALS_SCOPE
from tests.consumer.sums import counting, fresh_pool, garbage, undeclared
from tests.samples import KEYS, item
from tests.security.system import SecuredSystem

DEFINITIONS: Final = """
app: demo
default_language: en
definitions: [{id: LEVEL_UP, names: {en: Level up}}]
"""

# Between an item's retention (90 days) and the end of its document (7 days later).
OLD_MILLIS = 93 * 86_400_000


def ids() -> int:
    return secrets.randbelow(10**9) * 10


class Exercises:
    """Of one system. `kafka`: where records are written past any ingress."""

    def __init__(self, system: SecuredSystem, kafka: str) -> None:
        self.system = system
        self._kafka = kafka
        self._pool = fresh_pool(item("Old", time.time_ns() // 1_000_000))
        self._tokens: dict[str, str] = {}

    def token(self, *scopes: str) -> str:
        """Made once for each scope."""
        key = " ".join(scopes)
        if key not in self._tokens:
            words = [word for scope in scopes for word in ("--scope", scope)]
            said = self.system.ran("token", "--app", "demo", "--player", "ann", *words, user="token-maker").said
            self._tokens[key] = said.strip().splitlines()[-1]
        return self._tokens[key]

    def of(self, process: str) -> Callable[[], str]:
        """Returns all that was said while the process or command did everything."""
        commands: Mapping[str, Callable[[], str]] = {
            "init": self._init,
            "ingress": self._ingress,
            "worker": self._worker,
            "console": self._console,
            "definitions": self._definitions,
            "load": self._load,
            "verify": lambda: self._run("verify"),
            "doctor": lambda: self._run("doctor"),
            "lineage": self._lineage,
            "dead-letters": self._dead_letters,
            "titles": self._titles,
            "status": self._status,
        }
        return commands[process]

    def _run(self, *words: str) -> str:
        return self.system.run(*words).said

    def _init(self) -> str:
        """In a database that is not there yet."""
        with self.system.mongo.client as client:
            client.drop_database(self.system.name)
        return self._run("init")

    def _definitions(self) -> str:
        file = self.system.folder / "definitions.yaml"
        file.write_text(DEFINITIONS.replace("Level up", secrets.token_hex(4)))
        return self._run("definitions", "apply", str(file)) + self._run("definitions", "list")

    def _load(self) -> str:
        usual = ("load", "--rate", "20", "--seconds", "0.3", "--players", "3")
        return self._run(*usual) + self._run(*usual, "--api", "analytics")

    def _lineage(self) -> str:
        """A lineage that leaves out a record, and that this is accepted."""
        asyncio.run(self._send(counting(0, ids()).record))
        said = self._run("lineage") + self._run("lineage", "start", "--from", "end", "--reason", "a test", "--yes")
        with self.system.mongo.client as client:
            found = client[self.system.name][LINEAGES].find({"topic": self.system.name}, sort=[("generation", -1)])
            newest = next(found)["_id"]
        return said + self._run("lineage", "accept-loss", newest, "--reason", "a test")

    def _dead_letters(self) -> str:
        asyncio.run(self._send(garbage(0).record))
        time.sleep(0.5)
        return self._run("dead-letters", "list") + self._run("dead-letters", "redrive", "--again", "--limit", "1")

    def _titles(self) -> str:
        """One that nobody has freed yet."""
        title = f"Title-{secrets.token_hex(4)}"
        with self.system.mongo.client as client:
            document = {"_id": title_key("demo", title), "from": "r1/00/0", "by": "demo/ann"}
            client[self.system.name][TITLES].insert_one(document)
        return self._run("titles", "list", "demo") + self._run("titles", "free", "demo", title)

    def _status(self) -> str:
        """As `tallymill status` asks, which also knows what the supervisor runs."""
        settings = load_settings({FILE_VARIABLE: str(self.system.file("status"))})
        found: list[Traffic] = []
        measure(settings, found)
        return f"{_asked(settings)} {[one.why for one in found]}"

    def batch(self, request_id: str | None = None) -> int:
        """Send a batch that counts. The status of the reply."""
        now = time.time_ns() // 1_000_000
        period = {"periodStartMillis": str(now - 120_000), "periodEndMillis": str(now - 60_000)}
        updates = [{"definitionId": "LEVEL_UP", "updateCount": "1"}]
        body = {"requestId": request_id or str(ids()), "timePeriods": [{"timePeriod": period, "updates": updates}]}
        return self.system.send("ingress", "/games/v1/events", self.token(GAMES_SCOPE), body)[0]

    def _ingress(self) -> str:
        request_id = str(ids())
        self.batch(request_id)
        self.batch("no number")
        mine = self.token(GAMES_SCOPE)
        for path in (f"/v1/requests/{request_id}", "/games/v1/events"):
            self.system.send("ingress", path, mine)
        self.system.send("ingress", "/v1/refusals", self.token(REFUSALS_SCOPE))
        return self._log("ingress")

    def _console(self) -> str:
        reader = self.token(READ_SCOPE, REFUSALS_SCOPE, OPERATE_SCOPE)
        day = time.strftime("%Y-%m-%d", time.gmtime())
        for path in (
            f"/v1/counts?source=games&from={day}T00:00:00Z&to={day}T23:00:00Z",
            "/v1/events",
            "/v1/apps",
            "/v1/definitions",
            "/v1/refusals",
            "/v1/dead-letters",
            "/v1/players/ann",
            "/v1/requests/7?player=ann",
            f"/v1/receipts/{self._receipt()}",
            "/v1/system",
        ):
            self.system.send("console", path, reader)
        wanted: dict[str, object] = {"ids": [self._letter()], "dryRun": True}
        _, dry = self.system.send("console", "/v1/dead-letters/redrive", reader, wanted)
        if dry and "confirm" in dry:
            wanted = {**wanted, "dryRun": False, "confirm": dry["confirm"]}
            self.system.send("console", "/v1/dead-letters/redrive", reader, wanted)
        return self._log("console")

    def _letter(self) -> str:
        """A dead letter that was not redriven."""
        with self.system.mongo.client as client:
            letters = client[self.system.name][DEAD_LETTERS]
            letters.update_many({}, {"$unset": {"redriven": ""}})
            identity: str = letters.find()[0]["_id"]
            return identity

    def _receipt(self) -> str:
        """Of the first record."""
        return issue_receipt(Receipt(parse_coordinates("r1/0/0"), time.time_ns() // 1_000_000), KEYS)

    def _log(self, process: str) -> str:
        logs = sorted((self.system.folder / "logs").glob(f"{process}-*.log"), key=lambda one: one.stat().st_mtime)
        return logs[-1].read_text()

    def _worker(self) -> str:
        """A worker that starts, takes over from one of another user, and reads a record of each kind."""
        with self.system.mongo.client as client:
            checkpoints = client[self.system.name][CHECKPOINTS]
            left = {"lsid": Binary(secrets.token_bytes(16), 4), "uid": Binary(secrets.token_bytes(32))}
            checkpoints.update_many({}, {"$set": left})
            old = utc(time.time_ns() // 1_000_000 - OLD_MILLIS)
            client[self.system.name][EVENTS].update_many({}, {"$set": {"receivedAt": old}})
        asyncio.run(self.records())
        return ""

    async def records(self) -> None:
        """One that counts, twice; one that no ingress has judged; refused, unreadable; a new pool and an old one."""
        new, raw = counting(0, ids()), counting(1, ids(), raw=True)
        sent = [new.record, new.record, raw.record, undeclared(0, ids()).record, garbage(0).record]
        await self._send(*sent)
        fresh = fresh_pool(item(f"Title {secrets.token_hex(4)}", time.time_ns() // 1_000_000))
        await self._send(fresh, self._pool, topic=f"{self.system.name}.analytics")

    async def _send(self, *records: Record, topic: str | None = None) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self._kafka, acks="all") as producer:
            for one in records:
                await producer.send_and_wait(
                    topic or self.system.name, one.value, key=one.key, headers=list(one.headers)
                )


def named(said: str, on: str, action: str) -> bool:
    """Whether a text names this right, and how to grant it."""
    text = " ".join(said.replace("\\", "").split())
    return any(
        action in one.partition(" on ")[0].split() and on in one.partition("Grant it")[0] and "grantPriv" in one
        for one in text.split("the user lacks ")[1:]
    )
