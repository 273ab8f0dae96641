"""Environment variables that Kubernetes sets in every pod of a namespace, for each of its services. Pure.

A service named `tallymill` or `tallymill-ingress` gives variables with the prefix of the settings. The forms of name
and value that Kubernetes documents ("Discovering services") distinguish them from settings, also from misspelt ones:

    {SVC}_SERVICE_HOST=IP  {SVC}_SERVICE_PORT=N  {SVC}_SERVICE_PORT_{PORTNAME}=N  {SVC}_PORT=PROTO://IP:N
    {SVC}_PORT_{N}_{PROTO}=PROTO://IP:N  {SVC}_PORT_{N}_{PROTO}_PROTO=PROTO  ..._PORT=N  ..._ADDR=IP

SVC and PORTNAME are in upper case with `_` for `-`. `TALLYMILL_INGRESS_PORT=8080` is not such a variable: its value is
not an address. `enableServiceLinks: false` in a pod's spec prevents them.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address

# A label of DNS (RFC 1123), 63 characters at most, in upper case: it neither begins nor ends with a hyphen.
_SERVICE = r"(?P<service>[A-Z0-9](?:[A-Z0-9_]{0,61}[A-Z0-9])?)"
_PORT_NAME = r"[A-Z0-9]+(?:_[A-Z0-9]+)*"
_PORT = r"(?P<port>[1-9][0-9]{0,4})"
_PROTOCOL = r"(?P<protocol>TCP|UDP|SCTP)"

_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_ADDRESS = re.compile(r"(?P<protocol>tcp|udp|sctp)://(?P<host>[0-9.]+|\[[0-9a-f:.]+\]):(?P<port>[1-9][0-9]{0,4})")

MAX_PORT = 65_535


def _is_host(value: str, _: Mapping[str, str]) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def _is_port(value: str, name: Mapping[str, str]) -> bool:
    """The name's own port where it holds one."""
    return bool(_NUMBER.fullmatch(value)) and int(value) <= MAX_PORT and value == name.get("port", value)


def _is_address(value: str, name: Mapping[str, str]) -> bool:
    """With the port and the protocol of the name where it holds them."""
    found = _ADDRESS.fullmatch(value)
    if not found:
        return False
    protocol = name.get("protocol", found["protocol"]).lower()
    return _is_host(found["host"].strip("[]"), {}) and _is_port(found["port"], name) and found["protocol"] == protocol


_SHAPES = tuple(
    (re.compile(f"{_SERVICE}{rest}"), is_value)
    for rest, is_value in (
        ("_SERVICE_HOST", _is_host),
        ("_SERVICE_PORT", _is_port),
        (f"_SERVICE_PORT_{_PORT_NAME}", _is_port),
        ("_PORT", _is_address),
        (f"_PORT_{_PORT}_{_PROTOCOL}", _is_address),
        (f"_PORT_{_PORT}_{_PROTOCOL}_PROTO", lambda value, name: value == name["protocol"].lower()),
        (f"_PORT_{_PORT}_{_PROTOCOL}_PORT", _is_port),
        (f"_PORT_{_PORT}_{_PROTOCOL}_ADDR", _is_host),
    )
)


def is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes, and no person, has set this variable."""
    matches = ((shape.fullmatch(name), is_value) for shape, is_value in _SHAPES)
    return any(is_value(value, found.groupdict()) for found, is_value in matches if found)


def service_links(environ: Mapping[str, str], prefix: str) -> list[str]:
    """The names of those under a prefix, sorted."""
    return sorted(name for name, value in environ.items() if name.startswith(prefix) and is_service_link(name, value))
