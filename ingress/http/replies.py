"""The replies to refused requests (docs/rules.md, "Answers"; schemas/errors/table.py). Pure: values in, a Reply out."""

from schemas.errors.table import Refusal as Refusal  # noqa: PLC0414 imported from here with Refused
from serving.http.replies import REFUSAL_HEADERS as REFUSAL_HEADERS  # noqa: PLC0414 as above
from serving.http.replies import json_reply as json_reply  # noqa: PLC0414 as above
from serving.http.replies import refusal_reply as refusal_reply  # noqa: PLC0414 as above
from serving.http.replies import retry_after as retry_after  # noqa: PLC0414 as above
from serving.http.reply import RawHeader
from serving.refused import Refused as Refused  # noqa: PLC0414 as above

# Workers an hour behind are not caught up within seconds.
RETRY_LAG_SECONDS = 60


def server_timing(accepted_seconds: float, visible_seconds: float | None) -> RawHeader:
    """`Server-Timing` (W3C): ms from the request's arrival to Kafka's ack, and to being counted when that is known."""
    text = b"accepted;dur=%.1f" % (accepted_seconds * 1000)
    if visible_seconds is not None:
        text += b", visible;dur=%.1f" % (visible_seconds * 1000)
    return (b"server-timing", text)
