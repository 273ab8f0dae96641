"""A client of MongoDB reads and writes as we pin it, whatever its URI says; and no secret of a URI is told."""

from pathlib import Path
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from pymongo import AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.read_concern import ReadConcern
from structlog.testing import capture_logs

from console.config import ConsoleSettings
from console.mongo import MongoStore as ConsoleStore
from consumer.mongo.store import MongoStore as WorkerStore
from ingress.mongo import MongoStore as IngressStore
from schemas.settings import MongoSettings
from serving.mongodb.client import PINNED, UnusableUri, _warn_of_direct_connection, new_client, uri_problems

ROOT = Path(__file__).parents[3]

VALUES = {
    "readPreference": ("primary", "secondary", "nearest", "secondaryPreferred"),
    "readPreferenceTags": ("dc:ny", ""),
    "maxStalenessSeconds": ("-1", "120"),
    "readConcernLevel": ("majority", "local", "available", "linearizable"),
    "w": ("majority", "0", "1", "2", "tag"),
    "journal": ("true", "false"),
    "wTimeoutMS": ("0", "1"),
    "retryWrites": ("true", "false"),
    "retryReads": ("true", "false"),
    "timeoutMS": ("1",),
    "socketTimeoutMS": ("1", "20000"),
    "heartbeatFrequencyMS": ("500", "3000"),
    "uuidRepresentation": ("standard", "unspecified"),
    "tz_aware": ("true", "false"),
}
OPTIONS = st.lists(
    st.sampled_from([(name, value) for name, values in VALUES.items() for value in values]),
    max_size=5,
    unique_by=lambda o: o[0],
)
ALLOWED = {name: str(value).lower() for name, value in PINNED.items()}


def settings(uri: str) -> MongoSettings:
    return MongoSettings(uri=SecretStr(uri))


def uri_with(options: list[tuple[str, str]]) -> str:
    return "mongodb://127.0.0.1:1/?" + "&".join(f"{name}={value}" for name, value in options)


@given(OPTIONS, st.booleans())
async def test_what_is_read_and_written_is_pinned_or_the_option_is_named(
    options: list[tuple[str, str]],
    lower: bool,  # noqa: FBT001 drawn
) -> None:
    wrong = {name for name, value in options if ALLOWED.get(name) != value.lower()}
    uri = uri_with([(name.lower() if lower else name, value) for name, value in options])
    if not wrong:
        async with new_client(settings(uri), "test") as client:
            assert_pinned(client)
        return
    with pytest.raises(UnusableUri) as refused:
        new_client(settings(uri), "test")
    assert wrong == {name for name in VALUES if any(f"option {name} is" in one for one in refused.value.problems)}


def assert_pinned(client: AsyncMongoClient[dict[str, object]]) -> None:
    for one in (client, client["game"], client["game"]["players"]):
        assert ReadPreference.PRIMARY == one.read_preference
        assert ReadConcern("majority") == one.read_concern
        assert WriteConcern(w="majority", j=True) == one.write_concern
    options = client.options
    assert options.retry_writes
    assert options.retry_reads
    pool = options.pool_options
    assert (5, 20, 3, 5) == (
        pool.connect_timeout, pool.socket_timeout, options.heartbeat_frequency, options.server_selection_timeout
    )  # fmt: skip
    assert options.timeout is None


async def test_the_stores_of_all_processes_read_a_majority() -> None:
    uri = settings(uri_with([]))
    ingress, console = IngressStore(uri), ConsoleStore(uri, ConsoleSettings())
    async with new_client(uri, "test") as client:
        worker = WorkerStore(client, "game", lambda step, seconds: None)  # noqa: ARG005 the names are OnStep's
        databases = (ingress._database, console._database, worker._database)
        assert [ReadConcern("majority")] * 3 == [one.read_concern for one in databases]
        assert [ReadPreference.PRIMARY] * 3 == [one.read_preference for one in databases]
        assert WriteConcern(w="majority", j=True) == worker._database.write_concern
    await ingress.close()
    await console.close()


def test_no_module_but_this_one_makes_a_client() -> None:
    """The local stack's own client starts the replica set, which has no primary before that."""
    found = {
        str(file.relative_to(ROOT))
        for folder in ("schemas", "serving", "ingress", "consumer", "console", "ops")
        for file in (ROOT / folder).rglob("*.py")
        if "MongoClient(" in file.read_text()
    }
    assert {"serving/mongodb/client.py", "ops/local/servers/replica_set.py"} == found


def test_a_password_that_reads_like_a_port_and_options_is_not_told() -> None:
    """Its characters ? and = should be escaped."""
    (problem,) = uri_problems("mongodb://user:123?hidden=word@127.0.0.1/", PINNED)
    assert problem.startswith("mongodb.uri: must look like mongodb://user:password@host:port")
    assert "hidden" not in problem


SECRET = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=5).map(lambda text: f"s3cr{text}t")


@given(SECRET, st.booleans(), OPTIONS, st.sampled_from(["mongodb", "mongodb+srv", "http"]))
async def test_no_secret_of_a_uri_is_told(
    secret: str,
    quoted: bool,  # noqa: FBT001 drawn
    options: list[tuple[str, str]],
    scheme: str,
) -> None:
    password = quote_plus(secret) if quoted else secret
    query = uri_with([*options, ("authMechanismProperties", password)]).partition("?")[2]
    uri = f"{scheme}://user:{password}@127.0.0.1/?{query}"
    for problem in uri_problems(uri, PINNED):
        assert "s3cr" not in problem
        assert password not in problem
    told = ""
    try:
        await new_client(settings(uri), "test").close()
    except UnusableUri as refused:
        told = str(refused)
    assert "s3cr" not in told


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("w=1", "mongodb.uri: the option w is not allowed to be anything but majority. Remove it"),
        ("j=false", "mongodb.uri: the option journal is not allowed to be anything but true. Remove it"),
        ("readPreferences=x", "mongodb.uri: readPreferences is not an option of MongoDB: did you mean readPreference?"),
        ("w=majority&W=majority", "mongodb.uri: an option is written twice"),
        ("maxPoolSize=many", "mongodb.uri: the value of the option maxPoolSize is not allowed"),
        ("tlsCAFile=/no/file", "mongodb.uri: tlsCAFile: there is no file /no/file"),
        ("tls=false&tlsInsecure=false&ssl=true", "mongodb.uri: two of its options exclude each other"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_named(query: str, problem: str) -> None:
    assert [problem] == uri_problems(f"mongodb://127.0.0.1/?{query}", PINNED)


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb+srv://user:pass@cluster0.example.net/?retryWrites=true&w=majority&appName=Cluster0",
        "mongodb://a:1,b:2,[::1]:3/game?replicaSet=rs0&authSource=admin&tls=true&maxPoolSize=50&compressors=zlib",
        "mongodb://CN%3Dclient@a/?authMechanism=MONGODB-X509&tls=true",
    ],
)
def test_a_uri_says_where_who_and_how_safely(uri: str) -> None:
    assert not uri_problems(uri, PINNED)


async def test_a_direct_connection_is_warned_of_once() -> None:
    _warn_of_direct_connection.cache_clear()
    with capture_logs() as logs:
        for query in ("directConnection=true", "DirectConnection=true&w=majority", "directConnection=false"):
            await new_client(settings(f"mongodb://127.0.0.1:1/?{query}"), "test").close()
    assert ["mongodb_direct_connection"] == [line["event"] for line in logs]
