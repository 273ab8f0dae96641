"""`tallymill canary`: its reserved app, the one event of that app, the scope that its tokens need, and its settings.

The ingress refuses a token of this app without the scope (403), and `tallymill definitions apply` refuses its file. So
only a client for which the issuer adds the scope can send as this app.
"""

from typing import Annotated, Final

from pydantic import Field, SecretStr

from schemas.settings import Section

CANARY_APP: Final = "tallymill-canary"
CANARY_EVENT: Final = "CANARY"
CANARY_SCOPE: Final = "tallymill.canary"


class CanarySettings(Section):
    url: Annotated[str, Field(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$")] | None = None
    """URL of the ingress, as clients reach it. Unset, it is the ingress of these settings (`ingress.host` and
    `ingress.port`)."""
    token: SecretStr | None = None
    """Token of the app `tallymill-canary`, with the scopes of the games API and `tallymill.canary`. Each canary needs a
    player of its own. Without token and token_file, the local issuer signs one."""
    token_file: str | None = None
    """File that holds the token. It is read before each batch, so that the token can be renewed without a restart."""
    interval_seconds: Annotated[float, Field(ge=0.1, le=3_600)] = 10
    """Time from one batch to the next. A batch that is not visible yet delays the next one."""
    try_seconds: Annotated[float, Field(gt=0, le=300)] = 10
    """How long the canary waits for an answer before it sends the same batch again, with the same requestId. Longer
    than `ingress.publish_deadline_seconds` and `ingress.apply_timeout_seconds` together."""
    metrics_host: str = "127.0.0.1"
    """Address of /metrics, /livez and /readyz."""
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 9500
    """Port of /metrics, /livez and /readyz; 0 chooses a free one."""
