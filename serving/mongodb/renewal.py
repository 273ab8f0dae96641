"""Gives new credentials to the clients of a running process: their next connections sign in with them.

A client of MongoDB keeps what its URI said when it was made, and has no method to change it. To make another client
would end the sessions and transactions that are open. So the user and the password are replaced in the options that all
connections of the client read, and certificates in the TLS context that they share.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from serving.mongodb.uri import option_of
from serving.mongodb.words import why

Document = dict[str, Any]

Renew = Callable[[str], None]

# Of this process, as long as they are used. By id, because two clients of the same servers are equal.
_clients: WeakValueDictionary[int, AsyncMongoClient[Document]] = WeakValueDictionary()


class UnusableCertificate(Exception):
    """A file that mongodb.uri names can't be used. The message names it."""


def remember(client: AsyncMongoClient[Document]) -> None:
    """From now on renew_clients() renews it too."""
    _clients[id(client)] = client


def renew_clients(uri: str) -> None:
    """Sign in with the user and the password of this URI. Raises UnusableCertificate."""
    try:
        newer = AsyncMongoClient[Document](uri)  # it connects when it is used, which it is not
    except (PyMongoError, ValueError, OSError) as error:
        raise UnusableCertificate(f"mongodb.uri: {why(error)}") from error
    credentials = newer.options.pool_options._credentials  # noqa: SLF001 it has no public name
    for client in _clients.values():
        options: Any = client.options.pool_options
        options._PoolOptions__credentials = credentials  # noqa: SLF001 the same


def renew_certificates(uri: str) -> None:
    """Read the files of certificates again. Raises UnusableCertificate; then the old ones stay in use."""
    certificate, authorities = option_of(uri, "tlsCertificateKeyFile"), option_of(uri, "tlsCAFile")
    password = option_of(uri, "tlsCertificateKeyFilePassword") or ""
    # First into a context that nobody uses: a certificate without its key would spoil one that is used.
    _load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate, password, authorities)
    for client in _clients.values():
        context: Any = client.options.pool_options._ssl_context  # noqa: SLF001 it has no public name
        if isinstance(context, ssl.SSLContext):
            _load(context, certificate, password, authorities)


def _load(context: ssl.SSLContext, certificate: str | None, password: str, authorities: str | None) -> None:
    try:
        if authorities:
            context.load_verify_locations(authorities)
    except (OSError, ValueError) as error:
        raise UnusableCertificate(f"mongodb.uri: tlsCAFile: {_reason(authorities, 'no certificate')}") from error
    try:
        if certificate:
            context.load_cert_chain(certificate, password=lambda: password)
    except (OSError, ValueError) as error:
        reason = _reason(certificate, "no certificate with its key")
        raise UnusableCertificate(f"mongodb.uri: tlsCertificateKeyFile: {reason}") from error


def _reason(file: str | None, wrong: str) -> str:
    return f"{file}: {wrong} in PEM format" if file and Path(file).is_file() else f"there is no file {file}"
