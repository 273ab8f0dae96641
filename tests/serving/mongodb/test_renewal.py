"""Clients of MongoDB that sign in with new credentials, and read certificates again."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from cryptography.x509 import NameOID, load_der_x509_certificate
from pydantic import SecretStr
from pymongo import AsyncMongoClient

from schemas.settings import MongoSettings
from serving.mongodb.client import new_client
from serving.mongodb.renewal import renew_certificates, renew_clients
from serving.mongodb.uri import without_user
from serving.outgoing.pem import UnusablePem
from tests.security.certificates import Authority

URI = "mongodb://{}:{}@127.0.0.1:9/?authSource=admin"


@pytest.fixture
async def client() -> AsyncIterator[AsyncMongoClient[dict[str, Any]]]:
    made = new_client(MongoSettings(uri=SecretStr(URI.format("user", "old"))), "test")
    yield made
    await made.close()


def signs_in_as(client: AsyncMongoClient[dict[str, Any]]) -> tuple[str, str]:
    """What each new connection reads."""
    found: Any = client.options.pool_options._credentials
    return found.username, found.password


async def test_clients_sign_in_with_new_credentials(client: AsyncMongoClient[dict[str, Any]]) -> None:
    """All of them; also with what a URI must escape."""
    other = new_client(MongoSettings(uri=SecretStr(URI.format("user", "old"))), "test")
    assert ("user", "old") == signs_in_as(client)
    renew_clients(URI.format("another", quote_plus("p@ss:w/or%d")))
    assert {("another", "p@ss:w/or%d")} == {signs_in_as(client), signs_in_as(other)}
    await other.close()


async def test_pools_read_the_options_that_are_renewed(client: AsyncMongoClient[dict[str, Any]]) -> None:
    """What this depends on in pymongo: one object of options for the client and all its pools."""
    assert client.options.pool_options is client._topology._settings.pool_options


async def test_an_authority_that_is_removed_is_no_longer_trusted(tmp_path: Path) -> None:
    """Neither for calls nor for heartbeats, whose connections have options of their own."""
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    file = tmp_path / "ca.pem"
    file.write_text(old.cafile.read_text())
    uri = f"mongodb://127.0.0.1:9/?tls=true&tlsCAFile={file}"
    async with new_client(MongoSettings(uri=SecretStr(uri)), "test") as client:
        await client.aconnect()
        (server,) = client._topology._servers.values()
        monitor: Any = server._monitor
        options = [client.options.pool_options, server.pool.opts, monitor._pool.opts, monitor._rtt_monitor._pool.opts]
        assert [["old"]] * 4 == [trusted(one) for one in options]
        file.write_text(new.cafile.read_text())
        renew_certificates(uri)
        assert [["new"]] * 4 == [trusted(one) for one in options]


def trusted(options: object) -> list[str | bytes]:
    """The authorities that each new connection with these options trusts."""
    context: ssl.SSLContext = options._ssl_context  # type: ignore[attr-defined]  # it has no public name
    found = (load_der_x509_certificate(one) for one in context.get_ca_certs(binary_form=True))
    return [one.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value for one in found]


async def test_a_client_without_tls_has_none_after_a_renewal(client: AsyncMongoClient[dict[str, Any]]) -> None:
    renew_certificates(URI.format("user", "old"))
    found: Any = client.options.pool_options
    assert found._ssl_context is None


async def test_a_tls_session_of_the_old_certificate_is_not_resumed(client: AsyncMongoClient[dict[str, Any]]) -> None:
    """Pymongo resumes sessions from Python 3.12 on."""
    await client.aconnect()
    (server,) = client._topology._servers.values()
    server.pool._ssl_session_cache = ["a session"]
    renew_certificates(URI.format("user", "old"))
    assert [None] == server.pool._ssl_session_cache


def test_a_broken_certificate_is_named_and_not_used(tmp_path: Path) -> None:
    """Also a key of another certificate, which would spoil the context of the client."""
    authority = Authority(tmp_path, "authority")
    both, other = authority.issue("client").both, authority.issue("other").both
    uri = f"mongodb://127.0.0.1:9/?tls=true&tlsCAFile={authority.cafile}&tlsCertificateKeyFile={both}"
    renew_certificates(uri)
    key, certificate = both.read_text(), other.read_text()
    for broken, words in (
        ("nothing", ": no certificate in PEM format"),
        (
            key[: key.index("-----BEGIN CERTIFICATE")] + certificate[certificate.index("-----BEGIN C") :],
            f"the key in {both} does not belong to the certificate in {both}",
        ),
    ):
        both.write_text(broken)
        with pytest.raises(UnusablePem, match=rf"^mongodb\.uri: tlsCertificateKeyFile: .*{words}$"):
            renew_certificates(uri)
    authority.cafile.write_text("nothing")
    with pytest.raises(UnusablePem, match=r"^mongodb\.uri: tlsCAFile: .*: no certificate in PEM format$"):
        renew_certificates(uri)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("mongodb://u:p@a:1,b:2/db?x=y", "mongodb://a:1,b:2/db?x=y"),
        ("mongodb://a:1/?x=y@z", "mongodb://a:1/?x=y@z"),
        ("mongodb+srv://u:p@a", "mongodb+srv://a"),
    ],
)
def test_the_servers_of_a_uri(uri: str, expected: str) -> None:
    """What needs a restart if it changes."""
    assert expected == without_user(uri)
