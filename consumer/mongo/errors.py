"""What an error of MongoDB means, and what to do. By a closed list: any other error is an outage.

    cause                                     raised           what to do
    a record can never be stored              RecordRefused    halve the flush; at last a dead letter
    too much for one transaction              FlushTooLarge    halve the flush
    a document stands where a new one goes    Collision        stop the partition: a bug
    any other error, labelled or not          Unavailable      retry the same flush

A failover raises errors of many kinds, some without a label, even a bare ConfigurationError. A dead letter is a record
that is not counted, so the list has only errors that are certain to be a record's fault.
"""

import re

from bson.errors import BSONError
from pymongo.errors import OperationFailure, PyMongoError

from consumer.core.reasons import short
from consumer.ports import Collision, FlushTooLarge, RecordRefused, Unavailable
from serving.mongodb.client import codes_of, is_lost, why
from serving.mongodb.rights import UNAUTHORIZED

# BadValue, DocumentValidationFailure, BSONObjectTooLarge: the server refused this document.
RECORD_CODES = frozenset({2, 121, 10334})
# TransactionTooLargeForCache, TransactionTooLarge, TransactionExceededLifetimeLimitSeconds.
FLUSH_CODES = frozenset({388, 257, 290})
DUPLICATE_KEY_CODE = 11000
# Interrupted: the session was killed during the operation.
INTERRUPTED_CODE = 11601
# MultipleErrorsOccurred, of a bulk. The codes of its writes say more.
BULK_CODE = 65
# Unauthorized: a role is missing. AuthenticationFailed (18) is no such case: a new password may be on its way.
NOT_ALLOWED_CODE = UNAUTHORIZED

# Raised before anything is sent: BSON can't encode the document (InvalidDocument, DocumentTooLarge are BSONErrors).
CLIENT_ERRORS = (BSONError, OverflowError, UnicodeEncodeError)

HANDLED = (PyMongoError, *CLIENT_ERRORS)


def translated(error: Exception) -> Unavailable | RecordRefused | FlushTooLarge | Collision:
    """The worker's error for one of HANDLED."""
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
    """An outage. Its `lost` says whether MongoDB is unavailable to the whole process."""
    made = Unavailable(error_text(error))
    made.lost = is_lost(error)
    return made


def outage_or_too_large(error: Exception) -> Unavailable | FlushTooLarge | Collision:
    """The worker's error if no write of a record raised it, but a read, the checkpoint or the commit."""
    found = translated(error)
    return unavailable(error) if isinstance(found, RecordRefused) else found


def error_text(error: BaseException) -> str:
    """The error in a short sentence, without a document in it."""
    codes = ", ".join(map(str, sorted(set(codes_of(error)) - {BULK_CODE})))
    place = _place_of_duplicate(error) if isinstance(error, OperationFailure) else ""
    return short(f"MongoDB: {why(error)}{f' (code {codes})' if codes else ''}{place}")


_collection_of = re.compile(r"collection: \S+\.(\w+) index").search
_are_coordinates = re.compile(r"r[0-9]+/[0-9]+/[0-9]+").fullmatch


def _place_of_duplicate(error: OperationFailure) -> str:
    """Name the collection of the duplicate key; the `_id` too if it is coordinates. Other ids name players."""
    failed = (error.details or {}).get("writeErrors") or [error.details or {}]
    found = _collection_of(str(failed[0].get("errmsg", "")))
    if not found:
        return ""
    identity = str(failed[0].get("keyValue", {}).get("_id", ""))
    return f": {found[1]}, {identity}" if _are_coordinates(identity) else f": {found[1]}"
