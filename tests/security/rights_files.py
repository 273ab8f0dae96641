"""Files that give every process its rights, from the tables of docs/security.md.

`python -m tests.security.rights_files` writes them. A test compares them with the tables.
"""

import json
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from tests.security import kafka_rights, mongo_rights

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "rights"
ACLS: Final = FOLDER / "kafka-acls.sh"
ROLES: Final = FOLDER / "roles.js"

_WRITTEN: Final = "Written by python -m tests.security.rights_files, from the tables of docs/security.md."

_ACLS_HEAD: Final = f"""\
#!/bin/sh
# Gives each process of tallymill its rights in Kafka. Can be run again: a right that is there stays.
# {_WRITTEN}
set -eu

SERVERS=${{SERVERS:-kafka-1:9093}}
# Of a user that may change ACLs.
ADMIN=${{ADMIN:-admin.properties}}
# What is before the process in the names of the users: User:worker, or User:tallymill-worker.
PREFIX=${{PREFIX:-}}
# kafka.records_topic, kafka.analytics_topic and kafka.group of the settings.
RECORDS=${{RECORDS:-tallymill.records}}
ANALYTICS=${{ANALYTICS:-tallymill.analytics}}
GROUP=${{GROUP:-tallymill}}

grant() {{
  user=$1
  shift
  kafka-acls.sh --bootstrap-server "$SERVERS" --command-config "$ADMIN" --add \\
    --allow-principal "User:$PREFIX$user" "$@"
}}

"""

_ON: Final = {
    "topics": '--topic "$RECORDS" --topic "$ANALYTICS"',
    "groups": '--group "$GROUP" --group "$GROUP.analytics"',
    "cluster": "--cluster",
}

_ROLES: Final = """\
// Makes a role of MongoDB for each process of tallymill, or changes it: mongosh URI --file roles.js
// WRITTEN
// mongodb.database of the settings:
const database = process.env.TALLYMILL_MONGODB__DATABASE || "tallymill";

// By process: what is allowed on a collection, on the database, or on the cluster.
const rights = RIGHTS;

const admin = db.getSiblingDB("admin");
for (const [name, allowed] of Object.entries(rights)) {
  const role = `tallymill-${name}`;
  const privileges = allowed.map(({on, actions}) => ({
    resource: on === "cluster" ? {cluster: true} : {db: database, collection: on === "database" ? "" : on},
    actions,
  }));
  if (admin.getRole(role)) {
    admin.updateRole(role, {privileges, roles: []});
  } else {
    admin.createRole({role, privileges, roles: []});
  }
  print(role);
}
"""


def acls() -> str:
    """The text of the file for Kafka."""
    rows = groupby(kafka_rights.rows(), lambda row: (row.process, row.on))
    lines = [
        f"grant {process} {' '.join(f'--operation {row.operation}' for row in found)} {_ON[on]}\n"
        for (process, on), found in rows
    ]
    return _ACLS_HEAD + "".join(lines)


def roles() -> str:
    """The text of the file for mongosh."""
    by_process: dict[str, list[dict[str, Any]]] = {}
    for process in dict.fromkeys(one.process for one in mongo_rights.rights()):
        places = dict.fromkeys(one.on for one in mongo_rights.of(process))
        by_process[process] = [
            {
                "on": "database" if place == mongo_rights.DATABASE else place,
                "actions": sorted(one.action for one in mongo_rights.of(process) if one.on == place),
            }
            for place in places
        ]
    # One line a place.
    processes = (
        f"  {json.dumps(process)}: [\n" + ",\n".join(f"    {json.dumps(one)}" for one in allowed) + "\n  ]"
        for process, allowed in by_process.items()
    )
    return _ROLES.replace("WRITTEN", _WRITTEN).replace("RIGHTS", "{\n" + ",\n".join(processes) + "\n}")


if __name__ == "__main__":
    ACLS.write_text(acls())
    ACLS.chmod(0o755)
    ROLES.write_text(roles())
