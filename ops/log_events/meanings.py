"""What each log event means and what an operator does about it; what each key of an event is.

A new event needs a row here. tests/test_log_events.py says which rows are missing and which are left over.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Meaning(NamedTuple):
    """For docs/log-events.md. Without an action there is nothing to do."""

    meaning: str
    action: str = ""


def _section(heading: str) -> str:
    """A link to a section of docs/operations.md."""
    anchor = "".join(one for one in heading.lower().replace(" ", "-") if one.isalnum() or one in "-_")
    return f"[{heading}](operations.md#{anchor})"


EVENTS: Final[Mapping[str, Meaning]] = {
    "background_failure": Meaning(
        "A background task of a client library failed, in an outage or by a fault of the library.",
        _section("Failures in the log"),
    ),
    "bug": Meaning("tallymill's own code failed unexpectedly. The line has the traceback.", "Report it with the line."),
    "call_delayed": Meaning(
        "A server is available but could not do what was asked. The worker retries until it can.",
        "If it repeats, remove the cause in `reason`.",
    ),
    "canary_batch_unfinished": Meaning("The canary stops before the outcome of this batch is known."),
    "canary_late": Meaning(
        "A batch of the canary is not visible after 10 s. The canary sends it again until it is.",
        _section("CanaryLate"),
    ),
    "canary_miscounted": Meaning(
        "A batch of the canary changed its total by another number than 1: a batch was lost or counted twice.",
        _section("CanaryMiscounted"),
    ),
    "canary_on_time": Meaning("Batches of the canary are visible again."),
    "canary_refused": Meaning("The ingress refuses the canary's batches.", _section("CanaryLate")),
    "certificate_not_renewed": Meaning(
        "A file of certificates for Kafka has changed and can't be used. The old ones stay in use.",
        _section("Change a secret without a restart"),
    ),
    "client_replaced": Meaning(
        "A Kafka client did not return records any more. A new one continues at the same offset.",
        _section("A worker is not ready"),
    ),
    "clock_beyond_tolerance": Meaning(
        "This machine's clock is off by more than the setting allows. `/readyz` answers 503.",
        _section("A clock is off"),
    ),
    "clock_off": Meaning("The clock that `whose` names is off by 2 s or more.", _section("A clock is off")),
    "clock_right": Meaning("The clock is off by less than 1 s again."),
    "clock_within_tolerance": Meaning("This machine's clock is within the tolerance again."),
    "connection_closed": Meaning(
        "A client's connection was closed. At most one line in 10 s; the metric counts all.",
        _section("Too many connections"),
    ),
    "dead_letters_redriven": Meaning(
        "`who` has redriven dead letters in the page. `chosen` of them were to be produced again, `redriven` were.",
    ),
    "dead_member_removed": Meaning(
        "The worker removed a dead process of its own host from the group.", _section("A worker was killed")
    ),
    "document_not_readable": Meaning(
        "A document in MongoDB is not one that a worker or a command wrote. It is ignored; the others are used. One "
        "line a minute of each collection and kind of fault.",
        "Find out which program wrote it. Correct it, or restore it from a backup.",
    ),
    "definition_not_readable": Meaning(
        "A definition in MongoDB is not valid. It counts as not declared; the app's others are used.",
        "Correct it with `tallymill definitions apply`.",
    ),
    "definitions_changed": Meaning("The definitions of an app have changed and were read again."),
    "definitions_not_read": Meaning(
        "MongoDB is available but did not return the definitions at the start. The ingress retries.",
        "Remove the cause in `reason`, for example a missing role.",
    ),
    "definitions_read": Meaning("The definitions of all apps have been read."),
    "expelled_from_group": Meaning(
        "The worker was silent for longer than its session, so its partitions belong to others. It joins again.",
        _section("A worker was killed"),
    ),
    "flush_postponed": Meaning(
        "MongoDB could not take one record in a transaction now. The worker retries after a pause.",
        "If it repeats, give MongoDB's cache more room.",
    ),
    "group_not_left": Meaning(
        "A worker that stops could not leave its group. Its partitions wait until its session ends.",
    ),
    "indexes_not_checked": Meaning(
        "The user may not list the indexes, so they were not checked.",
        _section("Checks that were skipped at the start"),
    ),
    "introspection_back": Meaning("The token issuer's introspection endpoint answers again."),
    "introspection_lost": Meaning(
        "The token issuer's introspection endpoint does not answer. Tokens that are not cached get 503.",
        _section("Keys of the token issuer are rotated"),
    ),
    "issuer_back": Meaning("People can sign in to the page again."),
    "issuer_lost": Meaning(
        "The issuer at which people sign in to the page does not answer as it should. Sessions go on.",
        _section("Nobody can sign in to the page"),
    ),
    "issuer_outage_continues": Meaning(
        "People can't sign in to the page, now for another reason. At most one line a minute.",
        _section("Nobody can sign in to the page"),
    ),
    "kafka_back": Meaning("Kafka can be used again."),
    "kafka_connected": Meaning("The ingress can write to this topic for the first time."),
    "kafka_lost": Meaning("Kafka can't be used.", _section("A process can't use Kafka")),
    "kafka_not_allowed": Meaning(
        "Kafka's user of this process lacks a right. `reason` names it, and the command that grants it.",
        "[Rights of each process](security.md#rights-of-each-process)",
    ),
    "kafka_outage_continues": Meaning(
        "Kafka can't be used, now for another reason. At most one line a minute.", _section("A process can't use Kafka")
    ),
    "keys_not_read": Meaning(
        "The token issuer's keys could not be read. The last set stays in use.",
        _section("Keys of the token issuer are rotated"),
    ),
    "keys_read": Meaning("A new set of keys is in use."),
    "keys_read_again": Meaning("The token issuer's keys can be read again."),
    "leader_changed": Meaning("A partition has a new leader. The worker checks its log before it counts more."),
    "library_message": Meaning("A message that a library logged.", _section("Failures in the log")),
    "lineage_read": Meaning("The ingress uses this lineage for receipts and for read-your-writes."),
    "listening": Meaning("The process accepts connections. `/readyz` says when it is ready."),
    "log_truncated": Meaning(
        "Kafka assigned an offset again that was counted before. The client gets 503.", _section("A log was cut")
    ),
    "membership_failed": Meaning(
        "A bug in the code of group membership. The worker keeps its partitions and joins again.",
        _section("A worker is not in its group"),
    ),
    "mongodb_back": Meaning("MongoDB can be used again."),
    "mongodb_direct_connection": Meaning(
        "`mongodb.uri` names one server. No other takes over, and its data may be old.",
        _section("An option of mongodb.uri is refused"),
    ),
    "mongodb_not_allowed": Meaning(
        "MongoDB's user of this process lacks a right. `reason` names it, and the command that grants it.",
        "[Roles of each process](security.md#roles-of-each-process)",
    ),
    "mongodb_lost": Meaning("MongoDB can't be used.", _section("MongoDB is lost")),
    "mongodb_outage_continues": Meaning(
        "MongoDB can't be used, now for another reason. At most one line a minute.", _section("MongoDB is lost")
    ),
    "partition_overtaken": Meaning(
        "Another worker has applied records of this partition. This one continues behind them.",
        "If it repeats, two groups read the same topic: compare `kafka.group` of all workers.",
    ),
    "partition_stopped": Meaning(
        "The worker applies no more records of this partition.", _section("A partition has stopped")
    ),
    "partitions_assigned": Meaning("The group has assigned these partitions to the worker."),
    "partitions_read": Meaning("A worker reads these partitions again."),
    "partitions_unread": Meaning("No worker reads these partitions.", _section("A partition is not read")),
    "port_not_taken": Meaning(
        "The process can't listen on its port, and ends with status 1.",
        "Stop the process that uses the port, or change the port's setting.",
    ),
    "predecessor_session_ended": Meaning("The last owner's open transaction was ended."),
    "predecessor_session_not_ended": Meaning(
        "The last owner's open transaction could not be ended. The partitions wait until MongoDB ends it.",
        _section("The last owner's session was not ended"),
    ),
    "record_set_aside": Meaning(
        "One record became a dead letter because of a bug.", _section("A dead letter says `bug:`")
    ),
    "refusals_kept_again": Meaning("Samples of rejected requests are stored again."),
    "refusals_not_kept": Meaning(
        "Samples of rejected requests could not be stored. Requests are served.",
        _section("A client says its events are dropped"),
    ),
    "session_left_in_checkpoint": Meaning(
        "A worker that stops could not remove its session's id. The next owner ends it."
    ),
    "session_not_ended": Meaning("A worker that stops could not end its session. The next owner ends it."),
    "sign_in_refused": Meaning(
        "Someone signed in at the issuer, but the ID token is not accepted.", _section("Nobody can sign in to the page")
    ),
    "restart_needed": Meaning(
        "After SIGHUP: these settings have changed too, and take effect after a restart.",
        _section("Change a secret without a restart"),
    ),
    "secret_file_open": Meaning(
        "Every user of the machine can read the file of a secret.",
        "Change its mode to 0400 or 0440 ([Secrets](security.md#secrets)).",
    ),
    "secrets_not_renewed": Meaning(
        "After SIGHUP: the settings can't be used. The old secrets stay in use.",
        _section("Change a secret without a restart"),
    ),
    "secrets_renewed": Meaning("After SIGHUP: the secrets of `changed` have new values. Empty: none has changed."),
    "signed_in": Meaning("`who` has signed in to the page, at the issuer or by a link (`link`)."),
    "start_refused": Meaning(
        "The servers or the settings break the promise. The process ends with status 1.",
        f"Do what `reason` says. {_section('A topic is refused')}, {_section('A topic was created again')}",
    ),
    "stopped": Meaning("The process ends. `failed` is true if it ends by an error; then a line before says why."),
    "stopping": Meaning("A signal arrived. The process finishes what it has accepted."),
    "token_rejected": Meaning(
        "A token was rejected with 401. At most one line a second of each reason; the metric counts all.",
        _section("Find out why tokens are refused"),
    ),
    "topic_at_risk": Meaning("The topic's settings can lose records in a fault.", _section("A topic may lose records")),
    "topic_not_checked": Meaning(
        "The user may not read the topic's settings, so they were not checked.",
        _section("Checks that were skipped at the start"),
    ),
    "traces_exported_again": Meaning("Spans are exported again."),
    "traces_not_exported": Meaning(
        "The collector of traces does not take spans. They are lost; all else works.", _section("Tracing")
    ),
    "tracing_off": Meaning(
        "The environment names an exporter of traces, but none are made. The process works without.",
        _section("Tracing"),
    ),
    "totals_not_read": Meaning(
        "MongoDB is available but did not return totals. Clients get answers without totals until it does.",
        "Remove the cause in `reason`, for example a missing role.",
    ),
}

KEYS: Final[Mapping[str, str]] = {
    "against": "the servers whose clocks were compared",
    "ahead_seconds": "how far the clock is ahead; negative if it is behind",
    "api": "`games` or `analytics`",
    "app": "an app's id",
    "apps": "how many apps have definitions",
    "at": "a file and line of the code that failed",
    "call": "what the worker waits for",
    "cause": "the `cause` of the metric `tallymill_ingress_connections_closed_total`",
    "changed": "the settings that have new values",
    "chosen": "the number of dead letters that were chosen",
    "chosen_by": "`ids`, or the text that their reasons contain",
    "collection": "a collection of MongoDB",
    "document": "the `_id` of a document",
    "definition": "the `_id` of a definition",
    "exception": "the traceback",
    "expected": "the total that is right",
    "failed": "true if the exit status is not 0",
    "file": "the path of the file",
    "found": "the total that was read back",
    "grant": "the privilege that is missing",
    "group": "a consumer group of Kafka",
    "host": "the address that the process listens on",
    "ids": "the `kid` of each key",
    "last_good_set_in_use": "whether an earlier set of keys is used meanwhile",
    "lineage": "a lineage's id",
    "logger": "the library's logger",
    "lost": "partitions that the worker gives up",
    "member": "a member's id in its group",
    "message": "the library's message",
    "new": "partitions that the worker takes over",
    "of_another_user": "whether the last owner was another MongoDB user",
    "offset": "an offset of the partition",
    "partition": "`lineage/number`; the number alone if the line has `topic`",
    "partitions": "the numbers of partitions",
    "port": "the port that the process listens on",
    "reason": "why, in plain words",
    "record": "`lineage/partition/offset`",
    "records": "the number of records that wait",
    "redriven": "the number of dead letters that were produced again",
    "rejected_as": "the `reason` of the metrics `tallymill_..._rejected_tokens_total`",
    "request_id": "the requestId of a batch",
    "risk": "what can be lost, when, and how to change it",
    "seconds": "how long the state that the event ends or reports has lasted",
    "setting": "the setting that is the limit, or whose file it is",
    "settings": "the settings that have changed",
    "signal": "the signal's name",
    "source": "where the keys are read: a file, a URL, or the settings",
    "topic": "a topic of Kafka",
    "url": "the introspection endpoint, without credentials",
    "way": "`bearer` or `session`",
    "who": "the subject of the token or of the session",
    "whose": "the clock that is off: `this machine`, `Kafka` or `MongoDB`",
}
