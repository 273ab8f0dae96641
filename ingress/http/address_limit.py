"""Which address a request comes from, and how often it may (B1): looked at before the token, which costs a signature.

Behind a load balancer the address is in X-Forwarded-For, which anybody can write: only hops that a trusted proxy
reports are believed, read from the last one back to the first that is no proxy of ours.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from pydantic import IPvAnyNetwork

from ingress.http.rate_limit import MovingWindow
from serving.http.request import Request

IpAddress = IPv4Address | IPv6Address

# Proxies in a row; a longer list is made up.
MAX_HOPS = 16
# An IPv6 subscriber has a whole /64, and every phone of it as many addresses as it likes.
IPV6_SUBSCRIBER_SHIFT: Final = 64


class AddressLimit:
    """At most `max_requests` of one address in any `window_seconds`, as far as this process has seen."""

    def __init__(self, max_requests: int, window_seconds: float, trusted_proxies: Sequence[IPvAnyNetwork]) -> None:
        self._window = MovingWindow(max_requests, window_seconds)
        self._trusted = tuple(trusted_proxies)

    def wait_seconds(self, request: Request) -> float:
        """0: the request passes, and is counted. Otherwise when to try again; it isn't counted."""
        sender = sender_address(request, self._trusted)
        return 0 if sender is None else self._window.wait_seconds(sender, request.monotonic_seconds)


def sender_address(request: Request, trusted: Sequence[IPvAnyNetwork]) -> str | None:
    """What is limited as one: an IPv4 address, or an IPv6 subscriber's network. None without a TCP connection."""
    address = _address(request.address) if request.address else None
    if address is None:
        return None
    forwarded_for = request.headers.get(b"x-forwarded-for")
    if forwarded_for and trusted:
        address = client_address(address, forwarded_for, trusted)
    return _subscriber(address)


def client_address(peer: IpAddress, forwarded_for: bytes, trusted: Sequence[IPvAnyNetwork]) -> IpAddress:
    """The address that the last trusted proxy on the way saw."""
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
    """What is limited as one; the two kinds are written so that they can't be the same."""
    if isinstance(address, IPv4Address):
        return str(address)
    return f"{int(address) >> IPV6_SUBSCRIBER_SHIFT:x}"


def _address(text: str) -> IpAddress | None:
    """Of `1.2.3.4`, `::1`, and with a port, as some proxies write it: `1.2.3.4:80`, `[::1]:80`. Else None."""
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
