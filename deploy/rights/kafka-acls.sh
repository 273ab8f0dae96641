#!/bin/sh
# Gives each process of tallymill its rights in Kafka. Can be run again: a right that is there stays.
# Written by python -m tests.security.rights_files, from the tables of docs/security.md.
set -eu

SERVERS=${SERVERS:-kafka-1:9093}
# Of a user that may change ACLs.
ADMIN=${ADMIN:-admin.properties}
# What is before the process in the names of the users: User:worker, or User:tallymill-worker.
PREFIX=${PREFIX:-}
# kafka.records_topic, kafka.analytics_topic and kafka.group of the settings.
RECORDS=${RECORDS:-tallymill.records}
ANALYTICS=${ANALYTICS:-tallymill.analytics}
GROUP=${GROUP:-tallymill}

grant() {
  user=$1
  shift
  kafka-acls.sh --bootstrap-server "$SERVERS" --command-config "$ADMIN" --add \
    --allow-principal "User:$PREFIX$user" "$@"
}

grant init --operation Create --operation Alter --operation AlterConfigs --topic "$RECORDS" --topic "$ANALYTICS"
grant ingress --operation Write --operation DescribeConfigs --topic "$RECORDS" --topic "$ANALYTICS"
grant worker --operation Read --topic "$RECORDS" --topic "$ANALYTICS"
grant worker --operation Read --group "$GROUP" --group "$GROUP.analytics"
grant worker --operation DescribeConfigs --topic "$RECORDS" --topic "$ANALYTICS"
grant console --operation Read --topic "$RECORDS" --topic "$ANALYTICS"
grant console --operation Describe --group "$GROUP" --group "$GROUP.analytics"
grant console --operation Write --topic "$RECORDS" --topic "$ANALYTICS"
grant verify --operation Read --topic "$RECORDS" --topic "$ANALYTICS"
grant doctor --operation Read --operation DescribeConfigs --topic "$RECORDS" --topic "$ANALYTICS"
grant doctor --operation Describe --cluster
grant lineage --operation Read --topic "$RECORDS" --topic "$ANALYTICS"
grant lineage --operation Describe --group "$GROUP" --group "$GROUP.analytics"
grant dead-letters --operation Write --topic "$RECORDS" --topic "$ANALYTICS"
grant status --operation Read --topic "$RECORDS" --topic "$ANALYTICS"
grant status --operation Describe --group "$GROUP" --group "$GROUP.analytics"
