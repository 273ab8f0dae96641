"""What is wrong with a MongoDB URI, found without a server. No message holds a part that may be a secret."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote_plus

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri, split_options

from serving.outgoing.pem import unreadable

SCHEMES = ("mongodb://", "mongodb+srv://")

_SHAPE = "mongodb://user:password@host:port,host:port/?replicaSet=name"
_ESCAPES = "Write the characters : / ? # [ ] @ % of a user name or a password as %XX (@ is %40)"

# No value of these is allowed: they change what a pinned option means, or bound all calls of the client.
_NEVER: Final[Mapping[str, str]] = {
    "readPreferenceTags": "reads go to the primary",
    "maxStalenessSeconds": "reads go to the primary",
    "wTimeoutMS": "a write that is given up may still happen",
    "wTimeout": "a write that is given up may still happen",
    "fsync": "writes are journaled by a majority",
    "timeoutMS": "tallymill bounds each call itself",
}

# Other names of pinned options.
_ALIASES: Final[Mapping[str, str]] = {"j": "journal"}

_FILES = ("tlsCAFile", "tlsCertificateKeyFile", "tlsCRLFile")

# Options that are neither pinned nor refused, as the URI specification spells them.
_KNOWN = (  # noqa: SIM905 forty lines otherwise
    "appName authMechanism authMechanismProperties authSource compressors directConnection loadBalanced "
    "localThresholdMS maxConnecting maxIdleTimeMS maxPoolSize minPoolSize replicaSet serverMonitoringMode ssl "
    "srvMaxHosts srvServiceName tls tlsAllowInvalidCertificates tlsAllowInvalidHostnames "
    "tlsCertificateKeyFilePassword tlsDisableOCSPEndpointCheck tlsInsecure waitQueueTimeoutMS "
    "zlibCompressionLevel"
).split()


class UnusableUri(ValueError):
    """mongodb.uri can't be used, or must not be. Each problem says what to change."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


def uri_problems(uri: str, pinned: Mapping[str, Any]) -> list[str]:
    """All problems, each with the setting's name first. `pinned`: options with their only allowed value."""
    scheme = next((one for one in SCHEMES if uri.startswith(one)), None)
    if scheme is None:
        return [f"mongodb.uri: must look like {_SHAPE}, or begin with mongodb+srv://"]
    place, _, query = uri.removeprefix(scheme).partition("?")
    if "@" in query or not _is_place(place, is_srv=scheme == SCHEMES[1]):
        return [f"mongodb.uri: must look like {_SHAPE}. {_ESCAPES}"]
    found = [f"mongodb.uri: {problem}" for problem in _wrong_options(query, pinned)]
    return found or _wrong_together(uri, scheme)


def certificate_of(uri: str) -> str | None:
    """The file of the client's certificate, in a URI without problems."""
    return option_of(uri, "tlsCertificateKeyFile")


def option_of(uri: str, wanted: str) -> str | None:
    """The value of an option, in a URI without problems."""
    for pair in filter(None, re.split("[&;]", uri.partition("?")[2])):
        name, _, value = pair.partition("=")
        if name.lower() == wanted.lower():
            return unquote_plus(value)
    return None


def without_user(uri: str) -> str:
    """The URI without the user and the password."""
    scheme, separator, rest = uri.partition("://")
    place, slash, options = rest.partition("/")
    return f"{scheme}{separator}{place.rpartition('@')[2]}{slash}{options}"


def _is_place(place: str, *, is_srv: bool) -> bool:
    """Whether the client can read user, password, hosts and database from this."""
    hosts = place.partition("/")[0].rpartition("@")[2]
    if is_srv and re.search(r"[:,]|^$", hosts):
        return False
    try:
        parse_uri(SCHEMES[0] + place)
    except (PyMongoError, ValueError):
        return False
    return True


def _wrong_together(uri: str, scheme: str) -> list[str]:
    """Options that exclude each other. A mongodb+srv URI is not checked: its name would have to be resolved."""
    try:
        if scheme == SCHEMES[0]:
            parse_uri(uri)
    except (PyMongoError, ValueError):
        return ["mongodb.uri: two of its options exclude each other"]
    return []


def _wrong_options(query: str, pinned: Mapping[str, Any]) -> Iterator[str]:
    wanted = {name.lower(): (name, str(value).lower()) for name, value in pinned.items()}
    never = {name.lower(): (name, reason) for name, reason in _NEVER.items()}
    seen = set()
    for pair in filter(None, re.split("[&;]", query)):
        written, _, value = pair.partition("=")
        key = _ALIASES.get(written.lower(), written).lower()
        if key in seen:
            yield "an option is written twice"
        seen.add(key)
        if key in never:
            name, reason = never[key]
            yield f"the option {name} is not allowed: {reason}. Remove it"
        elif key in wanted:
            name, needed = wanted[key]
            if unquote_plus(value).lower() != needed:
                yield f"the option {name} is not allowed to be anything but {needed}. Remove it"
        elif problem := _wrong_option(written, value, [*pinned, *_NEVER]):
            yield problem


def _wrong_option(written: str, value: str, others: Sequence[str]) -> str | None:
    """What is wrong with an option that is not pinned."""
    known = {name.lower(): name for name in (*_KNOWN, *_FILES)}
    name = known.get(written.lower())
    if name is None:
        close = difflib.get_close_matches(written, [*_KNOWN, *_FILES, *others], 1)
        named = written if re.fullmatch(r"[A-Za-z_]{1,40}", written) else "an option"
        return f"{named} is not an option of MongoDB" + (f": did you mean {close[0]}?" if close else "")
    if name in _FILES and (problem := unreadable(unquote_plus(value))):
        return f"{name}: {problem}"
    try:
        split_options(f"{written}={value}")
    except (PyMongoError, ValueError, TypeError):
        return f"the value of the option {name} is not allowed"
    return None
