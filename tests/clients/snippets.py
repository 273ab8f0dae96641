"""The programs of docs/clients.md, as they stand there."""

import re

from tests.clients.running import ROOT

PAGE = ROOT / "docs" / "clients.md"


def programs() -> dict[str, str]:
    """By the file name beside their language."""
    return dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))
