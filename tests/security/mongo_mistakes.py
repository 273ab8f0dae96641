"""What may be wrong with mongodb.uri on a server with TLS and users, and what each process and command then says."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from tests.security.certificates import Authority
from tests.security.mongo_servers import SecuredMongo

WRONG_PASSWORD = "a wrong password"

REJECTED = "authentication failed: wrong user, password or authSource in mongodb.uri"
MESSAGES: Mapping[str, str] = {
    "wrong password": REJECTED,
    "unknown user": REJECTED,
    "another authSource": REJECTED,
    "no user": "MongoDB asks for a user, and mongodb.uri names none",
    "unknown certificate": "MongoDB has no user CN=stranger,OU=clients,O=tallymill in $external: make it, or use",
    "no certificate": "authentication failed: the user is known by a certificate. Set tlsCertificateKeyFile in",
    "strange certificate": "in mongodb.uri) is not accepted: the server trusts another authority",
    "expired certificate": "the client's certificate (tlsCertificateKeyFile in mongodb.uri) has expired (",
    "no certificate's file": "mongodb.uri: tlsCertificateKeyFile: there is no file /no/client.pem",
    "a folder as the certificate": " is a folder, not a file",
    "no certificate in the file": "/text.pem: no certificate in PEM format",
    "wrong password for the key": "mongodb.uri: tlsCertificateKeyFilePassword: wrong password for the key in ",
    "no password for the key": "mongodb.uri: tlsCertificateKeyFilePassword: required, because the key in ",
    "key of another certificate": "mongodb.uri: tlsCertificateKeyFile: the key in ",
    "no authority's file": "mongodb.uri: tlsCAFile: there is no file /no/ca.pem",
    "no authority in the file": "mongodb.uri: tlsCAFile: ",
    "wrong authority": "TLS: the server's certificate is not signed by an authority of tlsCAFile in mongodb.uri",
    "another name": "TLS: localhost is not in the server's certificate: use a name of the certificate in mongodb.uri",
    "without TLS": "the server requires TLS: add tls=true to mongodb.uri",
    "another set": "no server of mongodb.uri is a member of a replica set named other: check replicaSet in mongodb.uri",
}


def uri_with(mistake: str, mongo: SecuredMongo, user: str, folder: Path) -> str:
    """The URI of a user, with one mistake."""
    other = Authority(folder, "other")
    stranger = mongo.authority.issue("stranger", unit="clients").both
    expired = mongo.authority.issue("expired", valid=timedelta(hours=-1)).both
    locked = mongo.authority.issue("locked", unit="clients", password="a password").both
    text, mixed = folder / "text.pem", folder / "mixed.pem"
    text.write_text("no PEM")
    own, another = (mongo.authority.issue(name, unit="clients") for name in ("own", "another"))
    mixed.write_bytes(own.certfile.read_bytes() + another.keyfile.read_bytes())
    found: Mapping[str, str] = {
        "wrong password": mongo.uri(user, WRONG_PASSWORD),
        "unknown user": mongo.uri("nobody", WRONG_PASSWORD),
        "no user": mongo.uri(None),
        "unknown certificate": mongo.certificate_uri(stranger),
        "another authSource": mongo.uri(user, authSource="elsewhere"),
        "no certificate's file": mongo.certificate_uri(Path("/no/client.pem")),
        "a folder as the certificate": mongo.certificate_uri(folder),
        "no certificate in the file": mongo.certificate_uri(text),
        "wrong password for the key": mongo.certificate_uri(locked, tlsCertificateKeyFilePassword=WRONG_PASSWORD),
        "no password for the key": mongo.certificate_uri(locked),
        "key of another certificate": mongo.certificate_uri(mixed),
        "no authority's file": mongo.uri(user, tlsCAFile="/no/ca.pem"),
        "no authority in the file": mongo.uri(user, tlsCAFile=str(text)),
        "no certificate": mongo.certificate_uri(stranger, tlsCertificateKeyFile=""),
        "strange certificate": mongo.certificate_uri(other.issue("strange").both),
        "expired certificate": mongo.certificate_uri(expired),
        "wrong authority": mongo.uri(user, tlsCAFile=str(other.cafile)),
        "another name": mongo.uri(user).replace("@127.0.0.1", "@localhost"),
        "without TLS": mongo.uri(user, tls="", tlsCAFile=""),
        "another set": mongo.uri(user, replicaSet="other"),
    }
    return found[mistake]
