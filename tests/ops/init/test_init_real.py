"""init, doctor and definitions on real servers."""

import gc
import io
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pymongo import AsyncMongoClient

from ops.config import FILE_VARIABLE, Settings
from ops.connect import kafka_admin
from ops.definitions import command as definitions
from ops.definitions.changes import apply_changes, changes, existing_definitions
from ops.definitions.command import ApplyOptions
from ops.doctor.check import Check
from ops.doctor.command import doctor, examine
from ops.errors import BadInput
from ops.guard import guarded
from ops.init import mongo_layout
from ops.init.command import init, initialise, wrong
from ops.init.finding import Finding
from ops.init.mongo_layout import COLLECTIONS, VIEWS
from ops.lineage.command import StartOptions, accept_loss, start
from ops.local.prepare import prepare
from ops.local.settings import to_toml
from ops.server_clock import server_now
from ops.verify.command import recounted
from schemas.canary import CANARY_APP
from schemas.checkpoints import LAYOUT
from schemas.documents import LINEAGES, PERIOD_COUNTS, REQUESTS, utc
from schemas.requirements import indexes
from schemas.settings import APIS
from tests.ops.definitions.test_command import file_of
from tests.ops.running import use
from tests.real import Place, place, settings_of
from tests.samples import NOW
from tests.servers import Servers

DRY = ApplyOptions(dry_run=True)


@asynccontextmanager
async def empty_place(servers: Servers) -> AsyncIterator[Place]:
    """Topics and a database that are not there yet, removed afterwards."""
    settings = settings_of(servers)
    async with AsyncMongoClient[dict[str, Any]](servers.mongodb, tz_aware=True) as client:
        yield Place(settings, client[settings.mongodb.database])
        await client.drop_database(settings.mongodb.database)
    async with kafka_admin(settings) as kafka:
        made = {settings.kafka.topic(api) for api in APIS} & set(await kafka.list_topics())
        if made:
            await kafka.delete_topics(list(made))


async def make_topic(kafka: AIOKafkaAdminClient, settings: Settings, **config: str) -> None:
    topic_configs = {name.replace("_", "."): value for name, value in config.items()}
    name = settings.kafka.records_topic
    answer = await kafka.create_topics([NewTopic(name, 1, 1, topic_configs=topic_configs)])
    assert 0 == answer.topic_errors[0][1]


def states(findings: list[Finding]) -> set[str]:
    return {finding.state for finding in findings}


def wrong_checks(checks: list[Check]) -> set[str]:
    return {check.what for check in checks if check.state == "wrong"}


async def test_init_makes_everything_and_finds_it_there_the_second_time(servers: Servers) -> None:
    """So it may run at every deployment."""
    async with empty_place(servers) as new:
        first = await initialise(new.settings)
        second = await initialise(new.settings)
        names = await new.database.list_collection_names()
    assert {"made", "warning"} == states(first)
    assert {"there", "warning"} == states(second)
    assert [finding.what for finding in first] == [finding.what for finding in second]
    warned = [finding.detail for finding in first if finding.state == "warning"]
    assert len(APIS) == len(warned)
    assert all(detail.startswith("1 replica, in a cluster of 1") for detail in warned)
    first = [finding for finding in first if finding.state != "warning"]
    of_settings = indexes(new.settings.kafka, new.settings.limits)
    topics_and_lineages = 2 * len(APIS)
    collections_made = len(COLLECTIONS) + 1  # and the capped one, refusals
    canary = 1  # its event
    assert topics_and_lineages + collections_made + len(of_settings) + len(VIEWS) + canary == len(first)
    collections = {finding.what.removeprefix("collection ") for finding in first if "collection" in finding.what}
    assert collections | set(VIEWS) == {name for name in names if not name.startswith("system.")}


async def test_a_topic_that_breaks_promises_is_told_with_all_of_them(servers: Servers) -> None:
    """A topic that was created by hand: compacted, with the clients' times. It is not changed."""
    async with empty_place(servers) as new, kafka_admin(new.settings) as kafka:
        await make_topic(kafka, new.settings, cleanup_policy="compact", message_timestamp_type="CreateTime")
        for _ in range(2):
            (finding,) = wrong(await initialise(new.settings))
            assert f"topic {new.settings.kafka.records_topic}" == finding.what
            for words in ("cleanup.policy is compact", "message.timestamp.type is CreateTime"):
                assert words in finding.detail
        assert wrong_checks(await examine(new.settings)) == {finding.what}


async def test_a_ttl_that_forgets_ids_too_soon_is_told(servers: Servers) -> None:
    """As after a longer retention was set; the exceptions' index is another's matter and is right."""
    async with place(servers) as there:
        shorter = {"keyPattern": {"at": 1}, "expireAfterSeconds": 3_600}
        await there.database.command("collMod", REQUESTS, index=shorter)
        (finding,) = wrong(await initialise(there.settings))
        assert f"index {REQUESTS}.at_1" == finding.what
        assert "expireAfterSeconds is 3600" in finding.detail
        assert wrong_checks(await examine(there.settings)) == {finding.what}


async def test_a_database_of_a_newer_version_is_told_and_one_without_a_layout_gets_it(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By all that write or compare. A lineage of a version that wrote no layout has the one that this version reads."""
    async with place(servers) as there:
        lineages = there.database[LINEAGES]
        assert {LAYOUT} == {one["layout"] async for one in lineages.find()}
        await lineages.update_many({}, {"$unset": {"layout": ""}})
        assert [] == wrong(await initialise(there.settings))
        assert {LAYOUT} == {one["layout"] async for one in lineages.find()}
        await lineages.update_many({}, {"$set": {"layout": LAYOUT + 1}})
        for refusing in (initialise, recounted):
            with pytest.raises(BadInput, match=f"layout {LAYOUT + 1}, written by `tallymill init` of a newer version"):
                await refusing(there.settings)
        assert {"layout of the database"} == wrong_checks(await examine(there.settings))
        use(there.settings, tmp_path, monkeypatch)
        for work in (
            start(StartOptions(None, "end", "test", yes=True, accept_loss=True), as_json=False),
            accept_loss("r1", "test", as_json=False),
        ):
            with pytest.raises(BadInput, match=f"layout {LAYOUT + 1}"):
                await work
        assert {LAYOUT + 1} == {one["layout"] async for one in lineages.find()}


async def test_ids_of_the_earlier_layout_are_told(servers: Servers) -> None:
    """By init, doctor and verify, with what to do. Nothing is changed."""
    async with place(servers) as there:
        earlier = {"_id": "demo/ann/7", "crc": 0, "from": "r1/00/0", "at": datetime.now(UTC)}
        await there.database[REQUESTS].insert_one(dict(earlier))
        (finding,) = wrong(await initialise(there.settings))
        assert "layout of requests" == finding.what
        assert "db.requests.drop()" in finding.detail
        assert {finding.what} == wrong_checks(await examine(there.settings))
        with pytest.raises(BadInput, match="layout of an earlier version"):
            await recounted(there.settings)
        assert 1 == await there.database[REQUESTS].count_documents({"_id": earlier["_id"]})
        await there.database[REQUESTS].drop()
        assert [] == wrong(await initialise(there.settings))
        assert "keys_1" in await there.database[REQUESTS].index_information()
        stats = await (await there.database[REQUESTS].aggregate([{"$collStats": {"storageStats": {}}}])).to_list()
        assert "block_compressor=zstd" in stats[0]["storageStats"]["wiredTiger"]["creationString"]


async def test_a_local_system_ends_with_what_is_wrong(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`up` shows the last lines of `prepare`, which is `init` and the demo's events."""
    async with place(servers) as there:
        await there.database[REQUESTS].insert_one({"_id": "demo/ann/7", "crc": 0, "at": datetime.now(UTC)})
        monkeypatch.setattr("ops.local.prepare.load_settings", lambda: there.settings)
        assert 1 == await prepare(tmp_path / "none.yaml")
    said = capsys.readouterr()
    assert f"collection {REQUESTS}" in said.out
    (line,) = said.err.splitlines()
    assert line.startswith("layout of requests: collection requests has the layout of an earlier version")


async def test_a_server_that_takes_no_options_of_a_collection_gets_none(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some hosted ones."""
    refused = {"storageEngine": {"wiredTiger": {"configString": "no_such_option=1"}}}
    monkeypatch.setattr(mongo_layout, "COLLECTION_OPTIONS", {REQUESTS: refused})
    async with place(servers) as there:
        assert REQUESTS in await there.database.list_collection_names()


async def test_a_topic_made_anew_under_a_known_lineage_is_told(servers: Servers) -> None:
    """Its offsets mean other records: only a person can say what was lost."""
    async with place(servers) as there, kafka_admin(there.settings) as kafka:
        name = there.settings.kafka.records_topic
        await kafka.delete_topics([name])
        findings = await initialise(there.settings)
        (finding,) = wrong(findings)
        assert f"lineage of {name}" == finding.what
        assert "deleted and created again" in finding.detail
        assert ("made", f"topic {name}") == (findings[0].state, findings[0].what), "the topic itself is there again"


async def test_the_view_sums_the_minutes_over_partitions(servers: Servers) -> None:
    """Two partitions and two lineages of one minute are one number; another event or app is not mixed in."""
    hour = utc(NOW - NOW % 3_600_000)

    def counted(event: str, partition: str, **minutes: int) -> dict[str, Any]:
        found = {name.removeprefix("m"): count for name, count in minutes.items()}
        common = {"hour": hour, "app": "demo", "source": "games", "event": event, "count": sum(minutes.values())}
        return {"_id": f"{event}/{partition}", **common, "minutes": found}

    async with place(servers) as there:
        await there.database[PERIOD_COUNTS].insert_many(
            [
                counted("A", "r1/00", m00=1, m07=2),
                counted("A", "r1/01", m07=10),
                counted("A", "r2/00", m07=100, m59=5),
                counted("B", "r1/00", m07=1_000),
            ]
        )
        found = {(d["event"], d["at"]): d["count"] async for d in there.database["period_totals"].find({"app": "demo"})}
    minute = timedelta(minutes=1)
    assert {
        ("A", hour): 1,
        ("A", hour + 7 * minute): 112,
        ("A", hour + 59 * minute): 5,
        ("B", hour + 7 * minute): 1_000,
    } == found


async def test_definitions_read_back_as_they_were_applied(servers: Servers) -> None:
    """Through MongoDB and back, all but the times: else every apply would change them."""
    async with place(servers) as there:
        first = changes(file_of("A", "B"), {}, utc(NOW))
        await apply_changes(there.database, first)
        found = await existing_definitions(there.database, "demo")
        assert all(definition.updated_at == definition.declared_at for definition in found.values())
        times = {"updated_at": None, "declared_at": utc(NOW)}
        assert [change.definition for change in first] == [one.model_copy(update=times) for one in found.values()]
        assert {"unchanged"} == {change.kind for change in changes(file_of("A", "B"), found, utc(NOW + 1))}
        assert {} == await existing_definitions(there.database, "other")


@pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(days=-1)])
async def test_definitions_are_declared_and_retired_by_mongodb_s_clock(servers: Servers, ahead: timedelta) -> None:
    """Declared, retired, declared again and changed on a machine whose clock is a day off: no time comes from it."""
    async with place(servers) as there:
        db, seen = there.database, []
        off = datetime.now(UTC) + ahead
        for file in (file_of("A", "B"), file_of("B"), file_of("A", "B"), file_of("A", "B", name="y")):
            before = await server_now(db)
            await apply_changes(db, changes(file, await existing_definitions(db, "demo"), off))
            seen.append((before, (await existing_definitions(db, "demo"))["A"], await server_now(db)))
    (_, declared, _), (_, retired, _), (_, again, _), (_, changed, _) = seen
    for (before, _, after), at in zip(
        seen, (declared.declared_at, retired.retired_at, again.declared_at, changed.updated_at), strict=True
    ):
        assert at is not None
        assert before <= at <= after
    assert declared.declared_at == retired.declared_at
    assert [(declared.declared_at, retired.retired_at)] == [(t.declared_at, t.retired_at) for t in again.earlier]
    assert (again.earlier, again.declared_at, None) == (changed.earlier, changed.declared_at, changed.retired_at)
    assert "y" == changed.names["en"]


async def test_two_who_apply_at_once_leave_the_times_right(servers: Servers) -> None:
    """Each has read what the other is about to change: what MongoDB holds decides, not what was read."""
    async with place(servers) as there:
        db = there.database
        await apply_changes(db, changes(file_of("A"), {}, utc(NOW)))
        stale = await existing_definitions(db, "demo")
        await apply_changes(db, changes(file_of("B"), stale, utc(NOW)))
        retired = (await existing_definitions(db, "demo"))["A"]
        await apply_changes(db, changes(file_of("A", name="y"), stale, utc(NOW)))  # it still considers A declared
        again = (await existing_definitions(db, "demo"))["A"]
    assert [(retired.declared_at, retired.retired_at)] == [(t.declared_at, t.retired_at) for t in again.earlier]
    assert again.retired_at is None
    assert retired.retired_at is not None
    assert again.declared_at >= retired.retired_at


async def test_the_doctor_names_what_is_missing_and_is_content_after_init(servers: Servers) -> None:
    """It changes nothing: init is what makes things."""
    async with empty_place(servers) as new:
        missing = {
            *(f"topic {new.settings.kafka.topic(api)}" for api in APIS),
            "index requests.keys_1",
            "index requests.at_1",
            "index exceptions.at_1",
            "index definitions.app_1",
            "index definitions.updatedAt_1",
            "index events.receivedAt_1",
            "index titles.by_1",
            "lineage",
        }
        for _ in range(2):
            assert missing == wrong_checks(await examine(new.settings))
        await initialise(new.settings)
        assert set() == wrong_checks(await examine(new.settings))


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # pymongo's, of a try that close() cuts off
async def test_servers_that_are_away_are_two_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One does not hide the other."""
    monkeypatch.setattr("ops.connect.ANSWER_MILLIS", 200)
    away = settings_of(Servers(kafka="127.0.0.1:1", mongodb="mongodb://127.0.0.1:1"))
    assert {"kafka", "mongodb"} == wrong_checks(await examine(away))
    gc.collect()  # while the warning is expected


Output = pytest.CaptureFixture[str]


def test_the_commands_say_it_in_json_and_by_exit_status(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """By turns: doctor 1, init 0, doctor 0; definitions apply and list."""
    settings = settings_of(servers)
    kafka = settings.kafka.model_dump(include={"bootstrap_servers", "records_topic", "group"})
    mongodb = {"uri": servers.mongodb, "database": settings.mongodb.database}
    (tmp_path / "settings.toml").write_text(to_toml({"kafka": kafka, "mongodb": mongodb}))
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "settings.toml"))
    (tmp_path / "events.yaml").write_text("app: demo\ndefinitions: [{id: A, names: {en: $x}}]")

    def run(expected: int, work: Any) -> Any:  # noqa: ANN401 a command and its JSON
        assert expected == guarded(work)
        return json.loads(capsys.readouterr().out)

    assert "wrong" in {check["state"] for check in run(1, doctor(as_json=True))}
    assert {"made", "warning"} == {finding["state"] for finding in run(0, init(as_json=True))}
    assert "wrong" not in {check["state"] for check in run(0, doctor(as_json=True))}
    dry = run(0, definitions.apply(tmp_path / "events.yaml", DRY, as_json=True))
    # `init` has declared the canary's event.
    assert [CANARY_APP] == [one["app"] for one in run(0, definitions.show_apps(as_json=True))]
    assert 2 == guarded(definitions.show_list("demo", as_json=True))
    said = capsys.readouterr()
    assert ("", True) == (said.out, "App demo has no events in database" in said.err)
    applied = run(0, definitions.apply(tmp_path / "events.yaml", ApplyOptions(), as_json=True))
    assert [one["id"] for one in dry] == [one["id"] for one in applied]
    assert [("A", "declared")] == [(one["id"], one["change"]) for one in applied]
    assert {"field": "names.en", "before": None, "after": "$x"} in applied[0]["fields"]
    (listed,) = run(0, definitions.show_list("demo", as_json=True))
    assert ("A", "$x", None) == (listed["definitionId"], listed["names"]["en"], listed["retiredAt"])
    assert listed["updatedAt"]
    assert 0 == guarded(definitions.show_list("demo", as_json=False))
    assert "REVEALED" in capsys.readouterr().out
    assert {"app": "demo", "events": 1, "retired": 0} in run(0, definitions.show_apps(as_json=True))
    assert 2 == guarded(definitions.show_list("dem", as_json=False))
    assert "Did you mean demo?" in capsys.readouterr().err
    for options in (DRY, ApplyOptions()):
        assert 0 == guarded(definitions.apply(tmp_path / "events.yaml", options, as_json=False))
        said = capsys.readouterr()
        assert "unchanged" in said.out
        assert "Unchanged: app demo has these events already. Nothing was written." in said.out
    (tmp_path / "events.yaml").write_text("app: demo\ndefinitions: [{id: A, names: {en: y}}]")
    assert 0 == guarded(definitions.apply(tmp_path / "events.yaml", DRY, as_json=False))
    assert "--dry-run" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["app: demo\ndefinitions: []", "app: demo\ndefinitions: [{id: X, names: {en: x}}]"])
def test_all_events_are_retired_only_if_it_is_asked_for(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output, text: str
) -> None:
    """An empty file, or another app's under this one's name; what goes is named in any case. `up` retires nothing."""
    use(settings_of(servers), tmp_path, monkeypatch)
    file, less = tmp_path / "events.yaml", tmp_path / "less.yaml"
    file.write_text(
        "app: demo\ndefinitions: [{id: A, names: {en: x}}, {id: B, names: {en: x}}, {id: C, names: {en: x}}]"
    )
    less.write_text("app: demo\ndefinitions: [{id: B, names: {en: x}}]")

    def apply(expected: int, path: Path, **wanted: bool) -> str:
        assert expected == guarded(definitions.apply(path, ApplyOptions(**wanted), as_json=True))
        return capsys.readouterr().err

    def in_force() -> set[str]:
        assert 0 == guarded(definitions.show_list("demo", as_json=True))
        listed = json.loads(capsys.readouterr().out)
        return {one["definitionId"] for one in listed if one["retiredAt"] is None}

    assert not apply(0, file)
    assert "Retired are 2 of 3 active events of app demo: A, C" in apply(0, less, dry_run=True)
    nothing = tmp_path / "nothing.yaml"
    nothing.write_text(text)
    assert "add --retire-all" in apply(0, nothing, dry_run=True)
    told = apply(2, nothing)
    assert "Retired are 3 of 3 active events of app demo: A, B, C" in told
    assert "Nothing was written" in told
    assert "Nothing was written" in apply(2, nothing, yes=True), "all of them need more than a yes"
    assert {"A", "B", "C"} == in_force()
    apply(0, nothing, retires=False)
    assert {"A", "B", "C"} <= in_force()
    apply(0, nothing, retire_all=True)
    assert in_force().isdisjoint("ABC")
    assert not apply(0, nothing)


@pytest.mark.parametrize(
    ("answer", "yes", "status", "said"),
    [
        (None, False, 2, "not a terminal"),
        (None, True, 0, ""),
        ("y\n", False, 0, "Retire these 2 events of app demo? [y/N]"),
        ("\n", False, 1, "Nothing was written"),
        ("", False, 1, "Nothing was written"),
        ("n\n", True, 0, ""),
    ],
)
def test_events_are_retired_only_if_somebody_says_yes(
    servers: Servers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
    answer: str | None,
    *,
    yes: bool,
    status: int,
    said: str,
) -> None:
    """At a terminal by an answer, elsewhere by an option. What would go is named in any case."""
    use(settings_of(servers), tmp_path, monkeypatch)
    terminal = io.StringIO(answer or "")
    terminal.isatty = lambda: answer is not None  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", terminal)
    three, less = tmp_path / "three.yaml", tmp_path / "less.yaml"
    three.write_text(
        "app: demo\ndefinitions: [{id: A, names: {en: x}}, {id: B, names: {en: x}}, {id: C, names: {en: x}}]"
    )
    less.write_text("app: demo\ndefinitions: [{id: B, names: {en: x}}]")
    assert 0 == guarded(definitions.apply(three, ApplyOptions(), as_json=True))
    capsys.readouterr()
    assert status == guarded(definitions.apply(less, ApplyOptions(yes=yes), as_json=True))
    told = capsys.readouterr().err
    assert "Retired are 2 of 3 active events of app demo: A, C" in told
    assert said in told
    assert 0 == guarded(definitions.show_list("demo", as_json=True))
    in_force = {one["definitionId"] for one in json.loads(capsys.readouterr().out) if one["retiredAt"] is None}
    assert ({"B"} if status == 0 else {"A", "B", "C"}) == in_force


def test_init_on_a_wrong_topic_ends_with_1(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """A deployment that runs it stops there."""
    settings = settings_of(servers)
    kafka = settings.kafka.model_dump(include={"bootstrap_servers", "records_topic"})
    mongodb = {"uri": servers.mongodb, "database": settings.mongodb.database}
    (tmp_path / "settings.toml").write_text(to_toml({"kafka": kafka, "mongodb": mongodb}))
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "settings.toml"))
    assert 0 == guarded(init(as_json=True))
    capsys.readouterr()
    monkeypatch.setenv("TALLYMILL_KAFKA__RETENTION_SECONDS", "3600")  # now the topic keeps more than is promised
    assert 1 == guarded(init(as_json=False))
    assert "retention.ms is 604800000, must be 3600000" in " ".join(capsys.readouterr().out.split())
