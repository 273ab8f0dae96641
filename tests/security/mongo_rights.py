"""The table of MongoDB rights in docs/security.md."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
HEADING = "### Roles of each process"
CLUSTER, DATABASE = "cluster", "`DB`"


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One action of a process. `on`: a collection, CLUSTER or DATABASE."""

    process: str
    on: str
    action: str

    def __str__(self) -> str:
        return f"{self.process} {self.on.strip('`')} {self.action}"

    def resource(self, database: str) -> dict[str, Any]:
        if self.on == CLUSTER:
            return {"cluster": True}
        return {"db": database, "collection": "" if self.on == DATABASE else self.on}


def rights() -> list[Right]:
    """All rights of the table, in its order."""
    section = PAGE.read_text().partition(HEADING)[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows, f"no table under {HEADING}"
    return [right for row in rows for right in _of_row(row)]


def _of_row(row: str) -> Iterable[Right]:
    process, places, actions, _ = (cell.strip() for cell in row.strip("|").split(" | "))
    for place in places.split(", "):
        on = place if place in (CLUSTER, DATABASE) else place.strip("`")
        assert re.fullmatch(r"cluster|`DB`|[a-z_]+", on), row
        for action in actions.split(", "):
            yield Right(process.strip("`"), on, action)


def of(process: str) -> list[Right]:
    return [one for one in rights() if one.process == process]


def privileges(given: Iterable[Right], database: str) -> Sequence[dict[str, Any]]:
    """As a role has them."""
    by_place: dict[str, list[Right]] = defaultdict(list)
    for one in given:
        by_place[one.on].append(one)
    return [
        {"resource": found[0].resource(database), "actions": sorted(one.action for one in found)}
        for found in by_place.values()
    ]
