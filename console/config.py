"""The settings of a console process."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.settings import MIB, KafkaSettings, MongoSettings, Section
from serving.config import Origin, TokenCheckSettings


class ConsoleSettings(Section):
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8090
    """Port to listen on; 0 chooses a free one."""
    query_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 5
    """Time limit of one query in MongoDB (maxTimeMS), after which the request is answered 504; also how long a request
    waits for its turn. A page of counts that has taken this long ends early, with a nextPageToken."""
    max_concurrent_queries: Annotated[int, Field(ge=1, le=1_000)] = 4
    """Requests that may query MongoDB at once, so that readers don't slow the workers down. Others wait for their turn,
    then get 503."""
    max_range_days: Annotated[int, Field(ge=1, le=10_000)] = 400
    """Longest time from `from` to `to`."""
    max_rows: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    """Largest number of rows on a page; a larger `limit` is reduced to it."""
    max_scanned_documents: Annotated[int, Field(ge=1_000)] = 200_000
    """Documents of period_counts that one page reads before it ends early, with a nextPageToken."""
    max_page_bytes: Annotated[int, Field(ge=64 * 1024, le=64 * MIB)] = 4 * MIB
    """Bytes of events, as stored in MongoDB, after which a page ends early. A single larger event still fits."""
    read_preference: Literal["primary", "secondaryPreferred"] = "primary"
    """Which members of the replica set to read from. Secondaries relieve the primary, and may be seconds behind."""
    cors_origins: tuple[Origin, ...] = ()
    """Origins whose pages may read (CORS), as a browser writes them (`https://dashboard.example`); `*` allows any.
    None by default."""
    max_connections: Annotated[int, Field(ge=1)] = 1_000
    """Connections of one console process. When all are in use, the longest idle one is closed for a new one."""
    drain_seconds: Annotated[float, Field(ge=0)] = 1
    """How long a stopping process still accepts requests while /readyz answers 503, so that a load balancer can stop
    sending first."""
    stop_timeout_seconds: Annotated[int, Field(ge=1)] = 15
    """How long a stopping process waits for requests that it has accepted."""


class ConsoleConfig(Section):
    """The settings of one console process. `kafka`: without bootstrap_servers, lag and balance are not known."""

    kafka: KafkaSettings = KafkaSettings()
    mongodb: MongoSettings
    tokens: TokenCheckSettings
    console: ConsoleSettings
