"""Certificates of tests, made by trustme: files of an authority, of servers and of clients."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, in files of their own. `both`: one file with the two, as mongod and Kafka read it."""

    certfile: Path
    keyfile: Path
    both: Path


class Authority:
    """A new authority with files in a folder. Clients that trust it use `cafile`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ca = trustme.CA(organization_name=name)
        self.cafile = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(str(self.cafile))

    def issue(
        self, name: str, *hosts: str, password: str | None = None, valid: timedelta = timedelta(days=2), unit: str = ""
    ) -> Pair:
        """A pair whose common name is `name`. `password` encrypts the key; a negative `valid` makes an expired one."""
        leaf = self._ca.issue_cert(
            *hosts or (name,),
            common_name=name,
            organization_name="tallymill",
            organization_unit_name=unit or None,
            not_after=datetime.now(UTC) + valid,
        )
        key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
        encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        made = Pair(*(self._folder / f"{name}.{kind}.pem" for kind in ("cert", "key", "both")))
        made.certfile.write_bytes(chain)
        made.keyfile.write_bytes(secret)
        made.both.write_bytes(secret + chain)
        for file in (made.keyfile, made.both):
            file.chmod(0o600)
        return made
