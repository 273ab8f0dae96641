"""Files of certificates and keys (PEM).

What is wrong with one is found before a connection is made, and its setting is named: the errors of OpenSSL and of the
clients name neither.
"""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

from serving.outgoing.files import BadFile, bytes_of, opened

# The authorities of a system are 0.2 MiB.
MAX_BYTES: Final = 16 << 20


class UnusablePem(Exception):
    """A file can't be used. The message names its setting, and never shows the content."""


@dataclass(frozen=True, slots=True)
class SettingNames:
    """The names of the settings of a client's certificate, of its key, and of the key's password."""

    certfile: str
    keyfile: str
    password: str


def unreadable(file: str | Path) -> str | None:
    """Why a file can't be read; None if it can."""
    try:
        state_of(file)
    except UnusablePem as error:
        return str(error)
    return None


def state_of(file: str | Path) -> tuple[int, int]:
    """Differs if the file has changed, or another one is in its place. Raises UnusablePem, without the setting."""
    try:
        with opened(file, MAX_BYTES) as descriptor:
            found = os.fstat(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        raise UnusablePem(f"there is no file {file}") from None
    except BadFile as error:
        raise UnusablePem(str(error)) from None
    except (OSError, ValueError) as error:
        raise UnusablePem(f"{file}: {(getattr(error, 'strerror', None) or 'not readable').lower()}") from None
    return found.st_mtime_ns, found.st_ino


def load_authorities(context: ssl.SSLContext, file: str, setting: str) -> None:
    """Trust the authorities of this file. Raises UnusablePem."""
    if problem := unreadable(file):
        raise UnusablePem(f"{setting}: {problem}")
    try:
        context.load_verify_locations(file)
    except (OSError, ValueError) as error:
        raise UnusablePem(f"{setting}: {file}: no certificate in PEM format") from error


def load_pair(context: ssl.SSLContext, certfile: str, keyfile: str, password: str, settings: SettingNames) -> None:
    """Show servers this certificate. Raises UnusablePem."""
    for setting, file in ((settings.certfile, certfile), (settings.keyfile, keyfile)):
        if problem := unreadable(file):
            raise UnusablePem(f"{setting}: {problem}")
    asked = _Asked(password)
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certfile, keyfile, asked)
    except (OSError, ValueError) as error:
        raise UnusablePem(_pair_problem(certfile, keyfile, error, asked, settings)) from error


class _Asked:
    """Gives OpenSSL the password of the key, and notes that it was asked: the key is encrypted."""

    def __init__(self, password: str) -> None:
        self._password = password
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        return self._password

    @property
    def in_vain(self) -> bool:
        return self.count > 0 and not self._password


def _pair_problem(certfile: str, keyfile: str, error: Exception, asked: _Asked, settings: SettingNames) -> str:
    if certificate_in(certfile) is None:
        return f"{settings.certfile}: {certfile}: no certificate in PEM format"
    if asked.in_vain:
        return f"{settings.password}: required, because the key in {keyfile} is encrypted"
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        return f"{settings.keyfile}: the key in {keyfile} does not belong to the certificate in {certfile}"
    if asked.count:
        return f"{settings.password}: wrong password for the key in {keyfile}"
    return f"{settings.keyfile}: {keyfile}: no key in PEM format"


def certificate_in(certfile: str) -> x509.Certificate | None:
    """The first certificate of a file, which is the client's own."""
    try:
        return x509.load_pem_x509_certificate(bytes_of(certfile, MAX_BYTES))
    except (BadFile, OSError, ValueError):
        return None
