"""Structured logs: one JSON line a state change, to stderr. Nothing per record, nothing of a client's credentials."""

import logging
import sys

import structlog


def configure_logs() -> None:
    """Once, at the start of the process; an embedding program's own configuration stays."""
    # Our adapters tell of each state change once; these libraries tell of every try.
    for chatty in ("aiokafka", "pymongo", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
