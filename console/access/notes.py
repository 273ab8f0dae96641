"""The page that a person sees whose sign-in has failed. Pure."""

from html import escape
from typing import Final

from console.access.security_headers import SECURITY
from serving.http.reply import Reply

_HTML: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>tallymill: not signed in</title>
<link rel="stylesheet" href="/page/sign-in.css">
<main>
<h1>Not signed in</h1>
<p>{reason}.</p>
<p><a href="/login">Sign in again</a></p>
</main>
"""


def failed_page(reason: str, status: int) -> Reply:
    """The reason, and a link to try again."""
    html = _HTML.format(reason=escape(reason)).encode()
    return Reply(status, html, ((b"content-type", b"text/html; charset=utf-8"), *SECURITY))
