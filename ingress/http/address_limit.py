"""Finds the address of a request's sender, and limits how often it may send (B1).

The limit comes before the token, as checking a token can cost a signature.

Behind a load balancer the address is in X-Forwarded-For. Clients can send that header too, so only entries that a
trusted proxy added count: the list is read from its end, up to the first address that is not a trusted proxy.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from pydantic import IPvAnyNetwork

from ingress.http.rate_limit import MovingWindow
from serving.http.request import Request

IpAddress = IPv4Address | IPv6Address

# Of proxies in a row. No real chain is longer.
MAX_HOPS = 16
# An IPv6 subscriber has a /64 network, and each of its devices can use any number of addresses of it.
IPV6_SUBSCRIBER_SHIFT: Final = 64


class AddressLimit:
    """Allows `max_requests` of one address in any `window_seconds`. Counts the requests of this process only."""

    def __init__(self, max_requests: int, window_seconds: float, trusted_proxies: Sequence[IPvAnyNetwork]) -> None:
        self._window = MovingWindow(max_requests, window_seconds)
        self._trusted = tuple(trusted_proxies)

    def wait_seconds(self, request: Request) -> float:
        """0: the request passes and is counted. Otherwise it is not counted; retry after so many seconds."""
        sender = sender_address(request, self._trusted)
        return 0 if sender is None else self._window.wait_seconds(sender, request.monotonic_seconds)


def sender_address(request: Request, trusted: Sequence[IPvAnyNetwork]) -> str | None:
    """An IPv4 address, or the network of an IPv6 subscriber. None without a TCP connection."""
    address = _address(request.address) if request.address else None
    if address is None:
        return None
    forwarded_for = request.headers.get(b"x-forwarded-for")
    if forwarded_for and trusted:
        address = client_address(address, forwarded_for, trusted)
    return _subscriber(address)


def client_address(peer: IpAddress, forwarded_for: bytes, trusted: Sequence[IPvAnyNetwork]) -> IpAddress:
    """The address that the outermost trusted proxy saw."""
    address = peer
    for hop in reversed(forwarded_for.decode("latin-1").rsplit(",", MAX_HOPS)[-MAX_HOPS:]):
        if not any(address in network for network in trusted):
            break
        before = _address(hop)
        if before is None:
            break
        address = before
    return address


def _subscriber(address: IpAddress) -> str:
    """An IPv4 address has dots, an IPv6 network as a hexadecimal number has none, so the two never collide."""
    if isinstance(address, IPv4Address):
        return str(address)
    return f"{int(address) >> IPV6_SUBSCRIBER_SHIFT:x}"


def _address(text: str) -> IpAddress | None:
    """Parses `1.2.3.4` and `::1`, and with the port that some proxies add: `1.2.3.4:80`, `[::1]:80`. Else None."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
