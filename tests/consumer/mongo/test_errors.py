"""Who is at fault for an error of MongoDB: the closed list, class by class."""

import bson
import pytest
from bson.errors import InvalidDocument
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    InvalidOperation,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
    WriteError,
    WTimeoutError,
)

from consumer.core.reasons import MAX_REASON_CHARACTERS
from consumer.mongo.errors import HANDLED, translated
from consumer.ports import Collision, FlushTooLarge, RecordRefused, Unavailable


def bulk(*codes: int) -> BulkWriteError:
    """As a bulk write reports the codes of its writes: its own code is 65."""
    return BulkWriteError({"writeErrors": [{"index": n, "code": code, "errmsg": ""} for n, code in enumerate(codes)]})


@pytest.mark.parametrize("code", [2, 121, 10334])
def test_what_the_server_refuses_in_a_document_is_the_records_fault(code: int) -> None:
    """By itself or within a bulk."""
    for error in (OperationFailure("", code), WriteError("", code), bulk(code), bulk(112, code)):
        assert isinstance(translated(error), RecordRefused)


@pytest.mark.parametrize("value", [{"n": 2**63}, {"a\x00b": 1}, {"s": "\ud800"}])
def test_what_bson_cannot_hold_is_the_records_fault(value: dict[str, object]) -> None:
    """The very errors that bson raises, before anything is sent."""
    with pytest.raises(HANDLED) as caught:
        bson.encode(value)
    assert isinstance(translated(caught.value), RecordRefused)


def test_what_is_too_large_to_send_is_the_records_fault() -> None:
    """The client raises two classes for it, and neither is an error of the server."""
    for error in (DocumentTooLarge(""), InvalidDocument("")):
        assert isinstance(translated(error), RecordRefused)


@pytest.mark.parametrize("code", [388, 257, 290])
def test_what_is_too_much_for_one_transaction_is_the_flushs_fault(code: int) -> None:
    """By itself or within a bulk."""
    for error in (OperationFailure("", code), bulk(code)):
        assert isinstance(translated(error), FlushTooLarge)


def test_a_document_that_stands_in_the_way_is_ours() -> None:
    """E11000: within a bulk, as it comes."""
    for error in (bulk(11000), OperationFailure("", 11000)):
        assert isinstance(translated(error), Collision)


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect("connection reset"),
        ConnectionFailure(""),
        NetworkTimeout(""),
        ServerSelectionTimeoutError(""),
        NotPrimaryError("", {"code": 10107}),
        ConfigurationError("Sessions are not supported by this MongoDB deployment"),
        InvalidOperation(""),
        ExecutionTimeout("", 50),
        WriteConcernError("", 64),
        WTimeoutError("", 64),
        PyMongoError(""),
        bulk(112),
        bulk(),
        BulkWriteError({}),
        *(OperationFailure("", code) for code in (11600, 11602, 189, 251, 112, 91, 13, 18, 14031, 8000)),
        OperationFailure("no code"),
    ],
    ids=lambda error: f"{type(error).__name__}-{getattr(error, 'code', None)}",
)
def test_everything_else_is_an_outage(error: Exception) -> None:
    """A failover, a full disk, missing rights, an unknown class: never a dead letter."""
    assert isinstance(translated(error), Unavailable)


SECRET = "what only the client may know"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OperationFailure(f"Failed to apply $inc for {SECRET}", 2, {"errmsg": SECRET}),
            "a value can't be stored, such as a sum beyond int64 (code 2)",
        ),
        (
            BulkWriteError({"writeErrors": [{"code": 121, "errmsg": SECRET, "op": {"q": SECRET}}]}),
            "does not pass the collection's validation (code 121)",
        ),
        (
            BulkWriteError({"writeErrors": [{"code": 11000, "keyValue": {"_id": SECRET}}]}),
            "a document with this key exists already (code 11000)",
        ),
        (
            BulkWriteError(
                {
                    "writeErrors": [
                        {
                            "code": 11000,
                            "errmsg": f'E11000 duplicate key collection: t.events index: _id_ dup key: "{SECRET}"',
                            "keyValue": {"_id": SECRET},
                        }
                    ]
                }
            ),
            "a document with this key exists already (code 11000): events",
        ),
        (WriteError(SECRET, 9, {"op": SECRET}), "code 9"),
        (OperationFailure(SECRET), "the server refused the operation"),
        (InvalidDocument(f"cannot encode {SECRET}"), "a document can't be stored: it does not fit BSON"),
        (UnicodeEncodeError("utf-8", SECRET, 0, 1, SECRET), "a document can't be stored: a text is not Unicode"),
        (AutoReconnect("127.0.0.1:27017: connection refused" + "x" * 10_000), "127.0.0.1:27017: connection refused"),
    ],
)
def test_a_message_names_the_error_and_quotes_no_document(error: Exception, said: str) -> None:
    """It goes into dead letters, checkpoints and logs."""
    text = str(translated(error))
    assert said in text
    assert SECRET not in text
    assert len(text) <= MAX_REASON_CHARACTERS
