"""A skipped check is logged once, although the start is retried."""

from structlog.testing import capture_logs

from serving.start import not_checked


def test_each_subject_and_reason_is_one_line() -> None:
    with capture_logs() as logs:
        for _ in range(3):
            not_checked("topic_not_checked", "not allowed", topic="told-once")
            not_checked("topic_not_checked", "not allowed", topic="told-once-too")
        not_checked("topic_not_checked", "something else", topic="told-once")
    assert [(line["topic"], line["reason"]) for line in logs] == [
        ("told-once", "not allowed"),
        ("told-once-too", "not allowed"),
        ("told-once", "something else"),
    ]
