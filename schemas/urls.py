"""Whether a setting is a URL to which a process may send a request, and a secret."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def require_url(text: str) -> None:
    try:
        url = urlsplit(text)
        whole = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:  # an invalid port or IPv6 address
        whole = False
    if not whole:
        raise ValueError("is not an http(s) URL")


def require_private_url(text: str) -> None:
    """Raises ValueError unless it is an https URL, or an http URL of this machine: what is sent there is secret."""
    require_url(text)
    url = urlsplit(text)
    if "@" in url.netloc:
        raise ValueError("must not hold a user")
    if url.scheme != "https" and not is_loopback(url.hostname or ""):
        raise ValueError("must begin with https://, because secrets are sent there; http:// only with a loopback host")


def is_loopback(host: str) -> bool:
    """Whether this name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return False
