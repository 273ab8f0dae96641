"""What no retry mends is said at once; what may come back is waited for."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from pymongo.errors import AutoReconnect, PyMongoError
from pymongo.server_description import ServerDescription
from pymongo.topology_description import TOPOLOGY_TYPE, TopologyDescription

from schemas.settings import MongoSettings
from serving.mongodb.certificate import certificate_words
from serving.mongodb.client import new_client, why
from serving.mongodb.reach import unusable
from tests.security.certificates import Authority

NO_CERTIFICATE = (
    "SSL handshake failed: a:1: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired"
)


def seen(**errors: str | None) -> TopologyDescription:
    """A replica set of servers that have failed with these errors, or have not been asked yet."""
    servers = {
        (host, 1): ServerDescription((host, 1), error=AutoReconnect(text) if text else None)
        for host, text in errors.items()
    }
    return TopologyDescription(TOPOLOGY_TYPE.ReplicaSetNoPrimary, servers, "rs0", None, None, None)  # type: ignore[arg-type]


def test_a_certificate_that_has_expired_is_not_waited_for() -> None:
    assert "a:1: TLS: the server's certificate has expired: give the server a new one" == unusable(
        seen(a=NO_CERTIFICATE)
    )


@pytest.mark.parametrize("other", [None, "b:1: [Errno 111] Connection refused"])
def test_another_server_may_still_answer(other: str | None) -> None:
    assert unusable(seen(a=NO_CERTIFICATE, b=other)) is None


def test_a_set_of_another_name_has_no_servers() -> None:
    wanted = "no server of mongodb.uri is a member of a replica set named rs0: check replicaSet in mongodb.uri"
    assert wanted == unusable(seen())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "the server does not speak MongoDB's protocol: check the hosts and ports",
        ),
        (
            struct.pack("<iiii", 3, 1, 1, 2013),
            "the server does not speak MongoDB's protocol: check the hosts and ports",
        ),
        (b"", "the connection was closed"),
    ],
)
async def test_a_port_of_another_server_is_said(answer: bytes, words: str) -> None:
    """Of HTTP, of garbage, and of a load balancer that has no server behind it."""
    async with answering(answer) as port:
        uri = SecretStr(f"mongodb://user:hidden-word@127.0.0.1:{port}/?replicaSet=rs0")
        async with new_client(MongoSettings(uri=uri), "test", serverSelectionTimeoutMS=1_000) as client:
            with pytest.raises(PyMongoError) as failed:
                await client.admin.command("ping")
            assert words in why(failed.value)
            assert (unusable(client.topology_description) is not None) == bool(answer), "what no retry mends"


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """A port that gives every connection this answer to what it sends first, and closes it."""

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer:
            await reader.read(1)
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(answered, "127.0.0.1") as server:
        yield server.sockets[0].getsockname()[1]


def test_a_certificate_says_itself_why_it_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = "TLS: the client's certificate (tlsCertificateKeyFile in mongodb.uri)"
    expired = authority.issue("expired", valid=timedelta(hours=-1)).both
    assert certificate_words(str(expired)).startswith(f"{own} has expired (")
    assert certificate_words(str(authority.issue("good").both)).startswith(f"{own} is not accepted: the server trusts")
    assert f"{own} is not accepted by the server" == certificate_words("/no/file")
    assert certificate_words(None).startswith("TLS: the server requires a client's certificate")
