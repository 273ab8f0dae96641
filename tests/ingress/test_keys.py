"""The issuer's keys: from a file or a URL, read again, and kept when their source is gone."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web
from joserfc.jwk import KeySet, OctKey

from ingress.keys import NoKeys, keep_keys, read_keys
from tests.ingress.rig import public_keys


def jwks_text() -> str:
    return json.dumps(public_keys().as_dict(private=False))


async def test_keys_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(jwks_text())
    assert [key.kid for key in (await read_keys(str(file))).keys] == ["k1"]


async def test_keys_are_read_from_a_url() -> None:
    async def jwks(_request: web.Request) -> web.Response:
        return web.json_response(text=jwks_text())

    app = web.Application()
    app.router.add_get("/jwks", jwks)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        assert [key.kid for key in (await read_keys(f"http://127.0.0.1:{port}/jwks")).keys] == ["k1"]
        with pytest.raises(NoKeys, match="404"):
            await read_keys(f"http://127.0.0.1:{port}/nothing")
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": []}', '{"keys": [{"kty": "OKP"}]}', '{"keys": 7}'])
async def test_what_is_no_key_set_is_refused_with_a_reason(tmp_path: Path, text: str) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(text)
    with pytest.raises(NoKeys, match=r"jwks\.json"):
        await read_keys(str(file))


async def test_a_set_of_symmetric_keys_holds_no_key_for_us(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(KeySet([OctKey.generate_key(256)]).as_dict(private=True)))
    with pytest.raises(NoKeys, match="no public key"):
        await read_keys(str(file))


async def test_the_last_good_set_survives_an_outage_of_its_source(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(jwks_text())
    sets: asyncio.Queue[KeySet] = asyncio.Queue()
    keeping = asyncio.create_task(keep_keys(str(file), 0.001, sets.put_nowait))
    try:
        await asyncio.wait_for(sets.get(), 5)
        file.unlink()
        while not sets.empty():
            sets.get_nowait()
        file.write_text(jwks_text())
        again = await asyncio.wait_for(sets.get(), 5)
        assert [key.kid for key in again.keys] == ["k1"]
        assert not keeping.done()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
