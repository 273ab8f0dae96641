"""Downloads jars with jgo, a client of Maven repositories. It knows the address of the central one.

It runs as a separate process, `python -I maven_client.py PACKAGES TARGET`, because jgo and what it imports are in the
cache folder, and no other part of tallymill needs them. Standard input has one `group:artifact:version` a line.
Standard output gets a line for each: `+NAME` if it is downloaded, otherwise `!REASON`, and nothing more.
"""

import os
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Files are downloaded side by side, because most are small.
AT_ONCE = 4
ANSWER_SECONDS = 20


def main() -> int:
    packages, target = sys.argv[1:]
    sys.path.insert(0, packages)
    trust_the_machine()
    from jgo.maven import MavenContext  # noqa: PLC0415 it is found from here on

    maven = MavenContext(repo_cache=Path(target), timeout=ANSWER_SECONDS)

    def download(coordinates: str) -> str:
        group, artifact, version = coordinates.split(":")
        file = maven.project(group, artifact).at_version(version).artifact()
        try:
            found = maven.resolver.download(file)
        except Exception as error:  # noqa: BLE001 whatever it is: the parent says it to a person
            return f"!{reason(error)}"
        return f"+{found.name}" if found else "!the repository does not have it"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for line in pool.map(download, sys.stdin.read().split()):
            print(line, flush=True)  # noqa: T201 read by the parent
            if line.startswith("!"):
                os._exit(1)  # the others would each wait for the same silent address
    return 0


def trust_the_machine() -> None:
    """Certificates of this machine are used, if it has any: they may include a company's own."""
    paths = ssl.get_default_verify_paths()
    if found := paths.cafile or paths.capath:
        os.environ.setdefault("REQUESTS_CA_BUNDLE", found)


def reason(error: Exception) -> str:
    """In plain words."""
    if isinstance(error, OSError):  # all errors of `requests` are of this kind, and have no number
        return error.strerror or "the Maven repository does not answer"
    return "the Maven repository does not have it"


if __name__ == "__main__":
    sys.exit(main())
