"""Kafka's jars: by SHA-256, from Maven's local repository or from a client of Maven repositories."""

import hashlib
from pathlib import Path

import pytest

from ops.local.downloads import jars
from ops.local.downloads.complete import FetchError
from ops.local.downloads.jars import copied, differing, fetch_jars, in_repository, pins
from ops.local.servers.fetch import kafka_files
from ops.local.servers.paths import KAFKA_PIN, MAVEN_CLIENT_PIN, cached

CONTENTS = {"org.a.b:thing:1.0": b"thing", "org.c:other-thing_2.13:2": b"other"}
WANTED = {coordinates: hashlib.sha256(content).hexdigest() for coordinates, content in CONTENTS.items()}

# In place of jgo: one that has a jar, or fails as the words of its version say.
STUB = """
class MavenContext:
    def __init__(self, repo_cache, timeout):
        self.root, self.resolver, self.names = repo_cache, self, ()
    def project(self, group, artifact):
        self = MavenContext(self.root, 0)
        self.names = (group, artifact)
        return self
    def at_version(self, version):
        self.names += (version,)
        return self
    def artifact(self):
        return self
    def download(self, file):
        group, artifact, version = file.names
        if version == "silent":
            raise ConnectionError()
        if version == "full":
            raise OSError(28, "No space left on device")
        if version == "unknown":
            raise RuntimeError("Artifact not found in remote repositories")
        path = self.root.joinpath(*group.split("."), artifact, version, f"{artifact}-{version}.jar")
        path.parent.mkdir(parents=True)
        path.write_bytes({contents}[":".join(file.names)])
        return path
""".replace("{contents}", repr(CONTENTS))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache whose client is the stub. This user has no Maven and no local repository."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    package = cached(tmp_path / "cache", "maven-client", MAVEN_CLIENT_PIN) / "jgo"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "maven.py").write_text(STUB)
    monkeypatch.setattr(jars, "pins", lambda _: WANTED)
    return tmp_path / "cache"


def test_the_client_downloads_each_jar(cache: Path) -> None:
    """Flat, and with the right content."""
    home = cache / "kafka"
    fetch_jars(home, cache)
    assert [] == differing(WANTED, home)


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("silent", "the Maven repository does not answer"),
        ("unknown", "the Maven repository does not have it"),
        ("full", "No space left on device"),
    ],
)
def test_a_client_that_fails_is_told_in_one_sentence(
    cache: Path, monkeypatch: pytest.MonkeyPatch, version: str, reason: str
) -> None:
    """And nothing is left but the client."""
    monkeypatch.setattr(jars, "pins", lambda _: {f"org.a:thing:{version}": "0"})
    with pytest.raises(FetchError) as raised:
        fetch_jars(cache / "kafka", cache)
    assert f"Kafka could not be downloaded: {reason}. Check the network, then try again" == str(raised.value)
    assert ["maven-client"] == [folder.name.rpartition("-")[0] for folder in cache.iterdir()]


def test_a_jar_with_another_content_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the repository says of it."""
    monkeypatch.setattr(jars, "pins", lambda _: {**WANTED, "org.a.b:thing:1.0": "0" * 64})
    with pytest.raises(FetchError, match=r"another content \(SHA-256\) than expected: thing-1.0.jar$"):
        fetch_jars(cache / "kafka", cache)
    assert not (cache / "kafka").exists()


def local_repository(folder: Path) -> Path:
    for coordinates, content in CONTENTS.items():
        file = folder / in_repository(coordinates)
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
    return folder


def test_a_local_repository_with_all_jars_needs_no_network(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    assert copied(WANTED, local_repository(tmp_path / "repository"), target)
    assert [] == differing(WANTED, target)


@pytest.mark.parametrize("content", [b"changed", None])
def test_a_local_repository_with_a_changed_or_missing_jar_is_not_used(tmp_path: Path, content: bytes | None) -> None:
    """Nothing is copied from it."""
    repository, target = local_repository(tmp_path / "repository"), tmp_path / "target"
    target.mkdir()
    file = repository / in_repository("org.c:other-thing_2.13:2")
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    assert not copied(WANTED, repository, target)
    assert [] == list(target.iterdir())


@pytest.mark.real
def test_the_pins_are_the_jars_that_run() -> None:
    """No more and no less, on every machine."""
    assert [] == differing(pins(KAFKA_PIN.read_text()), kafka_files().jars)
