"""The reserved app of `tallymill canary`, its one event, and the scope that its tokens need.

The ingress refuses a token of this app without the scope (403), and `tallymill definitions apply` refuses its file. So
only a client for which the issuer adds the scope can send as this app.
"""

from typing import Final

CANARY_APP: Final = "tallymill-canary"
CANARY_EVENT: Final = "CANARY"
CANARY_SCOPE: Final = "tallymill.canary"
