// Makes a role of MongoDB for each process of tallymill, or changes it: mongosh URI --file roles.js
// Written by python -m tests.security.rights_files, from the tables of docs/security.md.
// mongodb.database of the settings:
const database = process.env.TALLYMILL_MONGODB__DATABASE || "tallymill";

// By process: what is allowed on a collection, on the database, or on the cluster.
const rights = {
  "init": [
    {"on": "database", "actions": ["createCollection", "createIndex", "listCollections", "listIndexes"]},
    {"on": "refusals", "actions": ["convertToCapped"]},
    {"on": "requests", "actions": ["find"]},
    {"on": "definitions", "actions": ["find", "insert", "update"]},
    {"on": "lineages", "actions": ["find", "insert", "update"]},
    {"on": "checkpoints", "actions": ["insert"]}
  ],
  "ingress": [
    {"on": "players", "actions": ["find"]},
    {"on": "exceptions", "actions": ["find"]},
    {"on": "checkpoints", "actions": ["find"]},
    {"on": "lineages", "actions": ["find"]},
    {"on": "requests", "actions": ["find"]},
    {"on": "definitions", "actions": ["find"]},
    {"on": "refusals", "actions": ["find", "insert"]},
    {"on": "database", "actions": ["listCollections"]}
  ],
  "worker": [
    {"on": "players", "actions": ["insert", "update"]},
    {"on": "period_counts", "actions": ["insert", "update"]},
    {"on": "requests", "actions": ["find", "insert", "listIndexes"]},
    {"on": "events", "actions": ["find", "insert", "listIndexes", "update"]},
    {"on": "titles", "actions": ["find", "insert", "listIndexes", "update"]},
    {"on": "checkpoints", "actions": ["find", "insert", "update"]},
    {"on": "lineages", "actions": ["find"]},
    {"on": "definitions", "actions": ["find", "listIndexes"]},
    {"on": "exceptions", "actions": ["insert", "listIndexes"]},
    {"on": "dead_letters", "actions": ["insert"]},
    {"on": "cluster", "actions": ["killAnySession"]}
  ],
  "console": [
    {"on": "period_counts", "actions": ["find"]},
    {"on": "players", "actions": ["find"]},
    {"on": "events", "actions": ["find"]},
    {"on": "titles", "actions": ["find"]},
    {"on": "requests", "actions": ["find"]},
    {"on": "definitions", "actions": ["find"]},
    {"on": "refusals", "actions": ["find"]},
    {"on": "exceptions", "actions": ["find", "listIndexes"]},
    {"on": "checkpoints", "actions": ["find"]},
    {"on": "lineages", "actions": ["find"]},
    {"on": "checks", "actions": ["find"]},
    {"on": "dead_letters", "actions": ["find", "update"]}
  ],
  "definitions": [
    {"on": "definitions", "actions": ["find", "insert", "update"]}
  ],
  "load": [
    {"on": "definitions", "actions": ["insert", "update"]},
    {"on": "requests", "actions": ["find"]},
    {"on": "players", "actions": ["find"]},
    {"on": "period_counts", "actions": ["find"]},
    {"on": "events", "actions": ["find"]}
  ],
  "verify": [
    {"on": "players", "actions": ["find"]},
    {"on": "period_counts", "actions": ["find"]},
    {"on": "titles", "actions": ["find"]},
    {"on": "checkpoints", "actions": ["find"]},
    {"on": "lineages", "actions": ["find"]},
    {"on": "definitions", "actions": ["find"]},
    {"on": "requests", "actions": ["find"]},
    {"on": "exceptions", "actions": ["find"]},
    {"on": "events", "actions": ["find"]},
    {"on": "checks", "actions": ["insert", "update"]},
    {"on": "database", "actions": ["listCollections"]}
  ],
  "doctor": [
    {"on": "database", "actions": ["listCollections"]},
    {"on": "requests", "actions": ["collStats", "find", "listIndexes"]},
    {"on": "events", "actions": ["collStats", "find", "listIndexes"]},
    {"on": "exceptions", "actions": ["listIndexes"]},
    {"on": "definitions", "actions": ["listIndexes"]},
    {"on": "titles", "actions": ["listIndexes"]},
    {"on": "checkpoints", "actions": ["find"]},
    {"on": "lineages", "actions": ["find"]},
    {"on": "checks", "actions": ["insert", "update"]},
    {"on": "cluster", "actions": ["getParameter"]}
  ],
  "lineage": [
    {"on": "lineages", "actions": ["find", "insert", "update"]},
    {"on": "checkpoints", "actions": ["find", "insert"]}
  ],
  "dead-letters": [
    {"on": "dead_letters", "actions": ["find", "update"]},
    {"on": "lineages", "actions": ["find"]}
  ],
  "titles": [
    {"on": "titles", "actions": ["find", "update"]},
    {"on": "period_counts", "actions": ["find"]}
  ],
  "status": [
    {"on": "checkpoints", "actions": ["find"]},
    {"on": "lineages", "actions": ["find"]},
    {"on": "checks", "actions": ["find"]}
  ]
};

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
