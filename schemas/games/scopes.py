"""The scopes of Google's games API (G21)."""

from typing import Final

GAMES_SCOPE: Final = "https://www.googleapis.com/auth/games"
"""Allows a player's program to record and to list."""

GAMES_LITE_SCOPE: Final = "https://www.googleapis.com/auth/games_lite"
"""Allows it to record only."""

RECORD_SCOPES: Final = (GAMES_SCOPE, GAMES_LITE_SCOPE)
