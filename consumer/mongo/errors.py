"""What an error of MongoDB means: whose fault, and what to do. By a closed list; everything else is an outage.

    the record's      it can't be stored, here or anywhere      RecordRefused    bisect, then a dead letter
    the flush's       too much for one transaction              FlushTooLarge    halve it
    ours              another document stands where it goes     Collision        stop the partition
    nobody's          any other error, labelled or not          Unavailable      the same flush again

A failover raises errors of many kinds, some without any label (a bare ConfigurationError too), so only what is
certain to be a record's fault may cost a record its count.
"""

import re

from bson.errors import BSONError
from pymongo.errors import OperationFailure, PyMongoError

from consumer.core.reasons import short
from consumer.ports import Collision, FlushTooLarge, RecordRefused, Unavailable
from serving.mongodb.client import codes_of, is_lost, why

# BadValue, DocumentValidationFailure (121), BSONObjectTooLarge: the server looked at the document and refused it.
RECORD_CODES = frozenset({2, 121, 10334})
# TransactionTooLargeForCache, TransactionTooLarge, TransactionExceededLifetimeLimitSeconds.
FLUSH_CODES = frozenset({388, 257, 290})
DUPLICATE_KEY_CODE = 11000
# A session killed while it is in use ends what it does so.
INTERRUPTED_CODE = 11601
# A bulk's own; the codes of its writes stand behind it.
BULK_CODE = 65
# AuthenticationFailed is another: that may be a secret not rolled out yet.
NOT_ALLOWED_CODE = 13

# Raised before anything is sent: BSON can't hold it (InvalidDocument and DocumentTooLarge are BSONErrors).
CLIENT_ERRORS = (BSONError, OverflowError, UnicodeEncodeError)

HANDLED = (PyMongoError, *CLIENT_ERRORS)


def translated(error: Exception) -> Unavailable | RecordRefused | FlushTooLarge | Collision:
    """Ours for theirs. `error` is one of HANDLED."""
    codes = set(codes_of(error))
    text = error_text(error)
    if isinstance(error, CLIENT_ERRORS) or codes & RECORD_CODES:
        return RecordRefused(text)
    if codes & FLUSH_CODES:
        return FlushTooLarge(text)
    if DUPLICATE_KEY_CODE in codes:
        return Collision(text)
    return unavailable(error)


def unavailable(error: BaseException) -> Unavailable:
    """MongoDB didn't do it this time; whether it is lost altogether stands on it."""
    made = Unavailable(error_text(error))
    made.lost = is_lost(error)
    return made


def outage_or_too_large(error: Exception) -> Unavailable | FlushTooLarge | Collision:
    """The same of an error that no write of a record raised: a read, the checkpoint, or the commit is at no fault."""
    found = translated(error)
    return unavailable(error) if isinstance(found, RecordRefused) else found


def error_text(error: BaseException) -> str:
    """What an error says, short, and without a document in it."""
    codes = ", ".join(map(str, sorted(set(codes_of(error)) - {BULK_CODE})))
    place = _in_the_way(error) if isinstance(error, OperationFailure) else ""
    return short(f"MongoDB: {why(error)}{f' (code {codes})' if codes else ''}{place}")


_collection_of = re.compile(r"collection: \S+\.(\w+) index").search
_are_coordinates = re.compile(r"r[0-9]+/[0-9]+/[0-9]+").fullmatch


def _in_the_way(error: OperationFailure) -> str:
    """Where a document stands that is in the way; which, only where its `_id` are coordinates: others name players."""
    failed = (error.details or {}).get("writeErrors") or [error.details or {}]
    found = _collection_of(str(failed[0].get("errmsg", "")))
    if not found:
        return ""
    identity = str(failed[0].get("keyValue", {}).get("_id", ""))
    return f": {found[1]}, {identity}" if _are_coordinates(identity) else f": {found[1]}"
