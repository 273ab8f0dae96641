"""Gives new credentials to the clients of a running process: their next connections sign in with them.

A client of MongoDB keeps what its URI said when it was made, and has no method to change it. To make another client
would end the sessions and transactions that are open. So the user and the password are replaced in the options that all
connections of the client read, and certificates in the TLS context that they share.
"""

import ssl
from typing import Any
from weakref import WeakValueDictionary

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from serving.mongodb.certificate import load_files
from serving.mongodb.words import why
from serving.outgoing.pem import UnusablePem

Document = dict[str, Any]

# Of this process, as long as they are used. By id, because two clients of the same servers are equal.
_clients: WeakValueDictionary[int, AsyncMongoClient[Document]] = WeakValueDictionary()


def remember(client: AsyncMongoClient[Document]) -> None:
    """From now on renew_clients() renews it too."""
    _clients[id(client)] = client


def renew_clients(uri: str) -> None:
    """Sign in with the user and the password of this URI. Raises UnusablePem."""
    try:
        newer = AsyncMongoClient[Document](uri)  # it connects when it is used, which it is not
    except (PyMongoError, ValueError, OSError) as error:
        raise UnusablePem(f"mongodb.uri: {why(error)}") from error
    credentials = newer.options.pool_options._credentials  # noqa: SLF001 it has no public name
    for client in _clients.values():
        options: Any = client.options.pool_options
        options._PoolOptions__credentials = credentials  # noqa: SLF001 the same


def renew_certificates(uri: str) -> None:
    """Read the files of certificates again. Raises UnusablePem; then the old ones stay in use."""
    # First into a context that nobody uses: a certificate without its key would spoil one that is used.
    load_files(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), uri)
    for client in _clients.values():
        context: Any = client.options.pool_options._ssl_context  # noqa: SLF001 it has no public name
        if isinstance(context, ssl.SSLContext):
            load_files(context, uri)
