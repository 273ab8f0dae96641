"""The files of certificates that mongodb.uri names: what is wrong with them, and why a server may not accept one."""

import ssl
from datetime import UTC, datetime
from typing import Final

from serving.mongodb.uri import option_of
from serving.outgoing.pem import SettingNames, UnusablePem, certificate_in, load_authorities, load_pair

_OWN = "TLS: the client's certificate (tlsCertificateKeyFile in mongodb.uri)"

_FILE: Final = "mongodb.uri: tlsCertificateKeyFile"
_PAIR: Final = SettingNames(_FILE, _FILE, "mongodb.uri: tlsCertificateKeyFilePassword")


def load_files(context: ssl.SSLContext, uri: str) -> None:
    """Load the files of a URI. Raises UnusablePem."""
    if authorities := option_of(uri, "tlsCAFile"):
        load_authorities(context, authorities, "mongodb.uri: tlsCAFile")
    if own := option_of(uri, "tlsCertificateKeyFile"):
        load_pair(context, own, own, option_of(uri, "tlsCertificateKeyFilePassword") or "", _PAIR)


def unusable_files(uri: str) -> list[str]:
    """What is wrong with the files of a URI. The client itself would ask the terminal for the password of a key."""
    try:
        load_files(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), uri)
    except UnusablePem as error:
        return [str(error)]
    return []


def certificate_words(file: str | None) -> str:
    """`file`: of the client's certificate and key; None if the client has none."""
    if file is None:
        return "TLS: the server requires a client's certificate: set tlsCertificateKeyFile in mongodb.uri"
    if (certificate := certificate_in(file)) is None:
        return f"{_OWN} is not accepted by the server"
    now = datetime.now(UTC)
    if now > certificate.not_valid_after_utc:
        return f"{_OWN} has expired ({certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC): get a new one"
    if now < certificate.not_valid_before_utc:
        return f"{_OWN} is not valid yet: compare the clocks"
    return f"{_OWN} is not accepted: the server trusts another authority (net.tls.CAFile), or it was revoked"
