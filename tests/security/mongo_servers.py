"""A mongod with TLS and users: a replica set of one that accepts nothing without both.

Users come with a password (SCRAM-SHA-256) or with a certificate (X.509). `root` may do everything. Its password, as any
other here, has all characters that a URI needs escaped.
"""

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

from cryptography.x509 import load_pem_x509_certificate
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from ops.local.servers.fetch import mongod_file
from ops.local.servers.mongod import REPLICA_SET, MongodPlace, mongod_options
from ops.local.servers.ports import LOOPBACK, any_free
from ops.local.servers.processes import Child, Children, Program
from tests.patience import PATIENCE_SECONDS
from tests.security.certificates import Authority

EXTERNAL: Final = "$external"
"""The database of users that are known by their certificate."""

Document = dict[str, Any]
Privileges = Sequence[Mapping[str, Any]]


CLIENTS: Final = "clients"
"""Part of the names of clients' certificates. The server's has none: it would be one of the cluster's otherwise."""


def subject_of(certificate: Path) -> str:
    """The name of a certificate's user."""
    return load_pem_x509_certificate(certificate.read_bytes()).subject.rfc4514_string()


def new_password() -> str:
    return f"p@ss:w/or%d#?[é]+{secrets.token_hex(4)}"


@dataclass
class SecuredMongo:
    """The server, and how each user connects."""

    folder: Path
    place: MongodPlace
    authority: Authority
    children: Children
    program: Program
    child: Child
    passwords: dict[str, str] = field(default_factory=dict)

    @property
    def client(self) -> MongoClient[Document]:
        """Of `root`. The caller closes it."""
        return MongoClient(self.uri("root"), tz_aware=True)

    def uri(self, user: str | None, password: str | None = None, **options: str) -> str:
        """With a password. An option of None's text is left out: `tls=""`."""
        wanted = {"authSource": "admin"} if user else {}
        who = f"{quote_plus(user)}:{quote_plus(password or self.passwords[user])}@" if user else ""
        return self._uri(who, {**wanted, **options})

    def certificate_uri(self, certificate: Path, **options: str) -> str:
        """With a client's certificate."""
        own = {"tlsCertificateKeyFile": str(certificate), "authMechanism": "MONGODB-X509", "authSource": EXTERNAL}
        return self._uri("", {**own, **options})

    def _uri(self, who: str, options: Mapping[str, str]) -> str:
        usual = {"replicaSet": REPLICA_SET, "tls": "true", "tlsCAFile": str(self.authority.cafile)}
        query = "&".join(f"{name}={quote_plus(value)}" for name, value in {**usual, **options}.items() if value)
        return f"mongodb://{who}{self.place.address}/?{query}"

    def make_user(self, user: str, privileges: Privileges) -> str:
        """A user of this password with exactly these privileges. Returns the URI."""
        self.passwords[user] = new_password()
        with self.client as client:
            client.admin.command("createRole", f"role-{user}", privileges=list(privileges), roles=[])
            client.admin.command("createUser", user, pwd=self.passwords[user], roles=[f"role-{user}"])
        return self.uri(user)

    def make_certificate_user(self, user: str, privileges: Privileges) -> str:
        """The same, known by a certificate."""
        certificate = self.authority.issue(user, unit=CLIENTS).both
        with self.client as client:
            client.admin.command("createRole", f"role-{user}", privileges=list(privileges), roles=[])
            roles = [{"role": f"role-{user}", "db": "admin"}]
            client[EXTERNAL].command("createUser", subject_of(certificate), roles=roles)
        return self.certificate_uri(certificate)

    def give(self, user: str, privileges: Privileges) -> None:
        """Exactly these privileges, from now on."""
        with self.client as client:
            client.admin.command("updateRole", f"role-{user}", privileges=list(privileges))

    def change_password(self, user: str, password: str) -> None:
        self.passwords[user] = password
        with self.client as client:
            client.admin.command("updateUser", user, pwd=password)

    def show(self, valid: timedelta) -> None:
        """Show new connections a certificate that is valid for so long."""
        self.authority.issue("mongodb-server", LOOPBACK, valid=valid)
        with MongoClient[Document](self.uri("root", tlsAllowInvalidCertificates="true")) as client:
            client.admin.command("rotateCertificates", 1)

    def show_one_that_expires(self) -> None:
        """Show a certificate that has expired on return. The server takes none that has expired already."""
        for seconds in (2, 4, 8, 16, 32):
            until = datetime.now(UTC) + timedelta(seconds=seconds)
            try:
                self.show(timedelta(seconds=seconds))
            except OperationFailure:
                continue
            break
        time.sleep(max(0, (until - datetime.now(UTC)).total_seconds() + 1))

    def kill(self) -> None:
        self.children.forget(self.child)

    def start_again(self) -> None:
        self.child = self.children.start(self.program)
        self.wait()

    def wait(self) -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        direct = self.uri(None, replicaSet="", directConnection="true")
        with MongoClient[Document](direct, serverSelectionTimeoutMS=PATIENCE_SECONDS * 1000) as client:
            while not client.admin.command("hello").get("isWritablePrimary"):
                assert time.monotonic() < give_up, "no primary"
                time.sleep(0.02)


@contextmanager
def secured_mongod(folder: Path) -> Iterator[SecuredMongo]:
    """Started for as long as the block lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder, "mongodb-authority")
    place = MongodPlace(folder / "mongod", any_free([]))
    place.home.mkdir()
    key = folder / "keyfile"
    key.write_text(secrets.token_hex(64))
    key.chmod(0o600)
    certificate = authority.issue("mongodb-server", LOOPBACK).both
    tls = ("--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(certificate), "--tlsCAFile", str(authority.cafile))
    where = ("--bind_ip", LOOPBACK, "--dbpath", str(place.home), "--nounixsocket", "--keyFile", str(key))
    options = (*where, *tls, "--tlsAllowConnectionsWithoutCertificates", *mongod_options(place.port))
    program = Program("mongod-secured", (mongod_file(), *options), stop_seconds=15)
    with Children(folder / "logs-mongod") as children:
        server = SecuredMongo(folder, place, authority, children, program, children.start(program))
        _make_root(server)
        yield server
        children.kill_all()


def _make_root(server: SecuredMongo) -> None:
    """By the exception for a server that has no user yet."""
    direct = server.uri(None, replicaSet="", directConnection="true")
    config = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": server.place.address}]}
    with MongoClient[Document](direct, serverSelectionTimeoutMS=PATIENCE_SECONDS * 1000) as client:
        client.admin.command("replSetInitiate", config)
        server.wait()
        server.passwords["root"] = new_password()
        client.admin.command("createUser", "root", pwd=server.passwords["root"], roles=["root"])
