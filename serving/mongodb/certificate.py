"""Why a server may not accept the client's own certificate, by the certificate itself."""

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

_OWN = "TLS: the client's certificate (tlsCertificateKeyFile in mongodb.uri)"


def certificate_words(file: str | None) -> str:
    """`file`: of the client's certificate and key; None if the client has none."""
    if file is None:
        return "TLS: the server requires a client's certificate: set tlsCertificateKeyFile in mongodb.uri"
    try:
        certificate = x509.load_pem_x509_certificate(Path(file).read_bytes())
    except (OSError, ValueError):
        return f"{_OWN} is not accepted by the server"
    now = datetime.now(UTC)
    if now > certificate.not_valid_after_utc:
        return f"{_OWN} has expired ({certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC): get a new one"
    if now < certificate.not_valid_before_utc:
        return f"{_OWN} is not valid yet: compare the clocks"
    return f"{_OWN} is not accepted: the server trusts another authority (net.tls.CAFile), or it was revoked"
