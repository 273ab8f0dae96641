"""Identifies the sender of a request by its bearer token (B6, G21), in the ingress and in the console."""

from collections.abc import Callable

from schemas.errors.table import Refusal
from serving.refused import Refused
from serving.tokens.bearer import MAX_TOKEN_BYTES, TokenCheck
from serving.tokens.identity import BadToken, Identity, Unchecked

Rejected = Callable[[BadToken], None]


def unnoted(_error: BadToken) -> None:
    """For a caller that counts nothing."""


class Authenticator:
    """Identifies senders. What a token allows is checked by the caller."""

    def __init__(self, tokens: TokenCheck, rejected: Rejected = unnoted) -> None:
        """`rejected` is told of each token that is answered 401."""
        self._tokens = tokens
        self._rejected = rejected

    @property
    def ready(self) -> bool:
        return self._tokens.ready

    async def identify(self, token: str | None, now_seconds: float) -> Identity:
        """The sender that the token names. Raises Refused: NO_TOKEN, UNAUTHENTICATED or TOKEN_UNCHECKED."""
        if token is None:
            raise Refused(Refusal.NO_TOKEN)
        try:
            if len(token) > MAX_TOKEN_BYTES:
                raise BadToken("malformed", f"longer than {MAX_TOKEN_BYTES} bytes")  # noqa: TRY301 noted like all else
            return await self._tokens.identity(token, now_seconds)
        except BadToken as error:
            self._rejected(error)
            raise Refused(Refusal.UNAUTHENTICATED) from error
        except Unchecked as error:
            raise Refused(Refusal.TOKEN_UNCHECKED) from error
