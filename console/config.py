"""The settings of the console: one section, and the object one console process is given."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.settings import MIB, MongoSettings, Section
from serving.config import Origin, TokenCheckSettings


class ConsoleSettings(Section):
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8090
    """Port to listen on; 0 takes a free one."""
    query_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 5
    """How long MongoDB may work on one query before it ends it (maxTimeMS; answered 504), and a request waits for its
    turn; a page of counts that has taken as long ends early, with a nextPageToken."""
    max_concurrent_queries: Annotated[int, Field(ge=1, le=1_000)] = 4
    """Requests that may query MongoDB at once, so that readers leave it to the workers; others wait, then 503."""
    max_range_days: Annotated[int, Field(ge=1, le=10_000)] = 400
    """Longest span from `from` to `to`."""
    max_rows: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    """Most rows of a page; a larger `limit` is this one."""
    max_scanned_documents: Annotated[int, Field(ge=1_000)] = 200_000
    """Documents of period_counts one page reads before it ends early, with a nextPageToken."""
    max_page_bytes: Annotated[int, Field(ge=64 * 1024, le=64 * MIB)] = 4 * MIB
    """Bytes of events (as MongoDB keeps them) a page holds before it ends early; a larger one comes alone."""
    read_preference: Literal["primary", "secondaryPreferred"] = "primary"
    """Where to read. A secondary takes work off the primary and may be some seconds behind."""
    cors_origins: tuple[Origin, ...] = ()
    """Origins (`https://dashboard.example`, as a browser writes them, or `*` for any) whose pages may read (CORS); none
    by default."""
    max_connections: Annotated[int, Field(ge=1)] = 1_000
    """Connections that one console process holds; when all places are taken, the connection that has been silent for
    longest is closed for a new one."""
    drain_seconds: Annotated[float, Field(ge=0)] = 1
    """How long a stop still takes requests while /readyz answers 503, so that a load balancer can turn away first."""
    stop_timeout_seconds: Annotated[int, Field(ge=1)] = 15
    """How long a stop waits for requests it has accepted."""


class ConsoleConfig(Section):
    """All that one console process needs."""

    mongodb: MongoSettings
    tokens: TokenCheckSettings
    console: ConsoleSettings
