"""What no retry mends is said at once; what may come back is waited for."""

from datetime import timedelta
from pathlib import Path

import pytest
from pymongo.errors import AutoReconnect
from pymongo.server_description import ServerDescription
from pymongo.topology_description import TOPOLOGY_TYPE, TopologyDescription

from serving.mongodb.certificate import certificate_words
from serving.mongodb.reach import unusable
from tests.security.certificates import Authority

NO_CERTIFICATE = (
    "SSL handshake failed: a:1: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired"
)


def seen(**errors: str | None) -> TopologyDescription:
    """A replica set of servers that have failed with these errors, or have not been asked yet."""
    servers = {
        (host, 1): ServerDescription((host, 1), error=AutoReconnect(text) if text else None)
        for host, text in errors.items()
    }
    return TopologyDescription(TOPOLOGY_TYPE.ReplicaSetNoPrimary, servers, "rs0", None, None, None)  # type: ignore[arg-type]


def test_a_certificate_that_has_expired_is_not_waited_for() -> None:
    assert "a:1: TLS: the server's certificate has expired: give the server a new one" == unusable(
        seen(a=NO_CERTIFICATE)
    )


@pytest.mark.parametrize("other", [None, "b:1: [Errno 111] Connection refused"])
def test_another_server_may_still_answer(other: str | None) -> None:
    assert unusable(seen(a=NO_CERTIFICATE, b=other)) is None


def test_a_set_of_another_name_has_no_servers() -> None:
    wanted = "no server of mongodb.uri is a member of a replica set named rs0: check replicaSet in mongodb.uri"
    assert wanted == unusable(seen())


def test_a_certificate_says_itself_why_it_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = "TLS: the client's certificate (tlsCertificateKeyFile in mongodb.uri)"
    expired = authority.issue("expired", valid=timedelta(hours=-1)).both
    assert certificate_words(str(expired)).startswith(f"{own} has expired (")
    assert certificate_words(str(authority.issue("good").both)).startswith(f"{own} is not accepted: the server trusts")
    assert f"{own} is not accepted by the server" == certificate_words("/no/file")
    assert certificate_words(None).startswith("TLS: the server requires a client's certificate")
