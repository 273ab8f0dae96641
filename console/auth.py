"""Identifies readers: their tokens need the scope tallymill.read (B6, G21)."""

from schemas.errors.table import Refusal
from schemas.wire.console_replies import READ_SCOPE
from serving.refused import Refused
from serving.tokens import authenticator
from serving.tokens.identity import Identity


class Authenticator(authenticator.Authenticator):
    """Identifies a sender, and checks the scope."""

    async def reader(self, token: str | None, now_seconds: float) -> Identity:
        """The sender of a token that may read. Raises Refused."""
        reader = await self.identify(token, now_seconds)
        if READ_SCOPE not in reader.scopes:
            raise Refused(Refusal.FORBIDDEN_READ)
        return reader
