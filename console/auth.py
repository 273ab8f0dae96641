"""Who reads: whom a bearer token names (serving/tokens/bearer.py; B6, G21), and whether it has tallymill.read."""

from console.answers import Refusal, Refused
from schemas.wire.console_replies import READ_SCOPE
from serving.http.request import bearer_token
from serving.tokens.bearer import TokenCheck, identified
from serving.tokens.identity import BadToken, Identity, Unchecked


class Authenticator:
    """The app that a request may read."""

    def __init__(self, tokens: TokenCheck) -> None:
        self._tokens = tokens

    @property
    def ready(self) -> bool:
        return self._tokens.ready

    async def reader(self, authorization: bytes | None, now_seconds: float) -> Identity:
        """Raises Refused: NO_TOKEN, UNAUTHENTICATED, NO_SCOPE, or TOKEN_UNCHECKED while nobody can tell."""
        token = bearer_token(authorization)
        if token is None:
            raise Refused(Refusal.NO_TOKEN)
        try:
            reader = await identified(self._tokens, token, now_seconds)
        except BadToken as error:
            raise Refused(Refusal.UNAUTHENTICATED) from error
        except Unchecked as error:
            raise Refused(Refusal.TOKEN_UNCHECKED) from error
        if READ_SCOPE not in reader.scopes:
            raise Refused(Refusal.NO_SCOPE)
        return reader
