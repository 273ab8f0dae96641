"""Gives new credentials to the clients of a running process: their next connections sign in with them.

A client of MongoDB keeps what its URI said when it was made, and has no method to change it. To make another client
would end the sessions and transactions that are open. So the user, the password and the TLS context are replaced in the
options that all connections of the client read. A new context trusts no authority that has been removed.
"""

import ssl
from collections.abc import Iterator
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
    credentials = _options(uri)._credentials  # noqa: SLF001 it has no public name
    for client in _clients.values():
        _replace(client.options.pool_options, "credentials", credentials)


def renew_certificates(uri: str) -> None:
    """Read the files of certificates again. Raises UnusablePem; then the old ones stay in use."""
    load_files(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), uri)  # the client's own errors name no file
    context = _options(uri)._ssl_context  # noqa: SLF001 the same
    for client in _clients.values():
        _replace(client.options.pool_options, "ssl_context", context)
        for pool in _pools(client):
            _replace(pool.opts, "ssl_context", context)
            if pool._ssl_session_cache:  # noqa: SLF001 the same
                pool._ssl_session_cache = [None]  # noqa: SLF001 a session of TLS keeps the certificates of its start


def _options(uri: str) -> Any:  # noqa: ANN401 its type is not public
    """What a client of this URI gives its connections. Raises UnusablePem."""
    try:
        # It connects when it is used, which it is not.
        return AsyncMongoClient[Document](uri).options.pool_options
    except (PyMongoError, ValueError, OSError) as error:
        raise UnusablePem(f"mongodb.uri: {why(error)}") from error


def _replace(options: object, name: str, value: object) -> None:
    """The options of pymongo have no way to change them."""
    setattr(options, f"_PoolOptions__{name}", value)


def _pools(client: AsyncMongoClient[Document]) -> Iterator[Any]:
    """Those of calls, and those of heartbeats, which have options of their own."""
    for server in client._topology._servers.values():  # noqa: SLF001 it has no public name
        monitor: Any = server._monitor  # noqa: SLF001 the same
        yield from (server.pool, monitor._pool, monitor._rtt_monitor._pool)  # noqa: SLF001 the same
