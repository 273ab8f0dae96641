"""Tokens that the issuer is asked about, with whole processes: an ingress and a console, and the issuer on loopback."""

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from schemas.wire.console_replies import READ_SCOPE
from tests.console.test_console_real import console_process, missing, process_config
from tests.ingress.real import config, declare, ingress_process, make_topic, now_millis, until_ready
from tests.ingress.rig import AUDIENCE, GAMES, ISSUER, claims
from tests.ingress.stage import fresh_batch
from tests.patience import PATIENCE_SECONDS
from tests.servers import Servers
from tests.serving.tokens.issuer import Issuer, issuer, not_active


def said(token: str) -> web.StreamResponse:
    """`good`, `other` (another audience's), and some that are not active."""
    if token not in ("good", "good-too", "other"):
        return not_active(token)
    audience = "other" if token == "other" else AUDIENCE
    answer = claims(aud=audience, scope=[GAMES, READ_SCOPE], exp=now_millis() // 1000 + 600)
    return web.json_response({"active": True, **answer})


def introspected(file: Path, source: Issuer) -> Path:
    """The configuration with the issuer's endpoint instead of its keys."""
    given: dict[str, Any] = json.loads(file.read_text())
    secret = {"introspection_client_id": "tallymill", "introspection_client_secret": "secret"}
    url = {"introspection_url": source.introspection_url}
    file.write_text(json.dumps(given | {"tokens": {"issuer": ISSUER, "audience": AUDIENCE, **url, **secret}}))
    return file


async def test_b6_q2_both_processes_ask_the_issuer(servers: Servers, tmp_path: Path) -> None:
    """Good: 200. Not active, or another audience's: 401. Issuer unavailable: 503, but for cached ones."""
    name = f"introspected-{uuid.uuid4().hex[:8]}"
    await make_topic(servers.kafka, name)
    await asyncio.to_thread(declare, servers.mongodb, name)
    (tmp_path / "console.json").write_text(json.dumps(process_config(tmp_path, servers.mongodb, name)))
    async with issuer() as source, aiohttp.ClientSession() as session:
        source.answer = said
        file = introspected(config(tmp_path, servers.kafka, servers.mongodb, name, apply_timeout_seconds=0), source)
        beside = introspected(tmp_path / "console.json", source)
        with ingress_process(file) as running, console_process(beside) as (console_url, _process):
            await until_ready(running, session)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while await missing(session, console_url):  # noqa: ASYNC110 another process has no event to wait for
                    await asyncio.sleep(0.05)

            async def asked(token: str) -> list[tuple[int, bool]]:
                """What both say: the status, and whether to retry."""
                sent = {"authorization": f"Bearer {token}"}
                posted = await running.post(session, fresh_batch(1), **sent)
                async with session.get(f"{console_url}/v1/events?actor=ann", headers=sent) as response:
                    return [
                        (status, "retry-after" in headers)
                        for status, headers in (posted[:2], (response.status, response.headers))
                    ]

            assert [(200, False)] * 2 == await asked("good")
            assert [(401, False)] * 2 == await asked("withdrawn")
            assert [(401, False)] * 2 == await asked("other")
            assert ["Basic dGFsbHltaWxsOnNlY3JldA=="] == sorted(set(map(str, source.logins)))
            source.away = True
            assert [(503, True)] * 2 == await asked("good-too")
            assert [(200, False)] * 2 == await asked("good")
