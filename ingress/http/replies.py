"""Parts of replies that only the ingress has: `Server-Timing`, and the wait when workers lag. Pure."""

from serving.headers import RawHeader

# Workers an hour behind are not caught up within seconds.
RETRY_LAG_SECONDS = 60


def server_timing(accepted_seconds: float, visible_seconds: float | None) -> RawHeader:
    """`Server-Timing` (W3C): ms from the request's arrival to Kafka's ack, and to being counted when that is known."""
    text = b"accepted;dur=%.1f" % (accepted_seconds * 1000)
    if visible_seconds is not None:
        text += b", visible;dur=%.1f" % (visible_seconds * 1000)
    return (b"server-timing", text)
