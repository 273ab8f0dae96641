"""The address of the page, and the cookies that it may have. Pure.

On https the cookies are `__Host-` ones: only over TLS, and of this host alone. Browsers keep such a cookie over plain
http for some loopback names only (Safari for none), so there the name carries the port instead, because all ports of a
host share their cookies. Nothing but this machine sees the traffic there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from schemas.urls import is_loopback
from serving.headers import RawHeader

SameSite = Literal["Strict", "Lax"]

OWN: Final = (None, b"same-origin", b"none")
"""Values of Sec-Fetch-Site if no other site's page sent the request. `none`: a person did. Old browsers send none."""


@dataclass(frozen=True, slots=True)
class Site:
    """`origin`: of console.public_url; None for a console on a loopback address, which may have several names."""

    origin: str | None
    port: int

    @property
    def is_secure(self) -> bool:
        return self.origin is not None and self.origin.startswith("https://")

    def cookie(self, name: str, value: str, seconds: int, same_site: SameSite) -> RawHeader:
        """Set-Cookie. No script can read it. An empty value for zero seconds removes it."""
        secure = "; Secure" if self.is_secure else ""
        text = f"{self._named(name)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}"
        return (b"set-cookie", text.encode())

    def read_cookie(self, name: str, headers: Mapping[bytes, bytes]) -> str | None:
        """The value of a cookie that this site has set. Odd cookies of other programs on this host don't matter."""
        wanted = self._named(name).encode()
        for cookie in headers.get(b"cookie", b"").split(b";"):
            found, _, value = cookie.strip().partition(b"=")
            if found == wanted:
                return value.decode("ascii", "replace")
        return None

    def _named(self, name: str) -> str:
        return f"__Host-tallymill-{name}" if self.is_secure else f"tallymill-{name}-{self.port}"

    def is_own(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether no other site's page has made the browser send this request."""
        return headers.get(b"sec-fetch-site") in OWN and self._expected(headers) is not None

    def is_from_page(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether the page has sent it. Browsers send Origin with every POST."""
        expected = self._expected(headers)
        return self.is_own(headers) and expected is not None and headers.get(b"origin") == expected

    def _expected(self, headers: Mapping[bytes, bytes]) -> bytes | None:
        """The Origin of the page; None under a name that is not this machine's: a stranger's may lead here too."""
        if self.origin is not None:
            return self.origin.encode()
        host = headers.get(b"host", b"")
        return b"http://" + host if is_loopback(_name_of(host)) else None


def _name_of(host: bytes) -> str:
    """The name in a Host header, without the port."""
    try:
        return urlsplit("//" + host.decode("ascii", "replace")).hostname or ""
    except ValueError:
        return ""
