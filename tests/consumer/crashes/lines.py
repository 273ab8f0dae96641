"""A line to MongoDB that loses a commit, or the answer to one."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self


class CommitLine:
    """Forwards everything up to the first commitTransaction. From then on the client hears nothing, until mended.

    `lands`: the commit itself still arrives. Otherwise it is lost, and its transaction stays open.
    """

    def __init__(self, mongodb: str, *, lands: bool) -> None:
        host, _, port = mongodb.partition("://")[2].partition("/")[0].partition(":")
        self._target = (host, int(port))
        self.lands = lands
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._deaf = False
        self._mended = False
        self.swallowed = asyncio.Event()

    @property
    def uri(self) -> str:
        assert self._server
        return f"mongodb://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/?directConnection=true"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server
        self._server.close()
        self._cut()

    def cut_and_mend(self) -> None:
        """Close all open connections, as if the network came back."""
        self._mended, self._deaf = True, False
        self._cut()

    def _cut(self) -> None:
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, their_writer}
        with contextlib.closing(writer), contextlib.closing(their_writer), contextlib.suppress(OSError):
            await asyncio.gather(self._there(reader, their_writer), self._back(their_reader, writer))

    async def _there(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            if b"commitTransaction\x00" in data and not self._mended:
                self._deaf = True
                if self.lands and not self.swallowed.is_set():
                    sink.write(data)
                self.swallowed.set()
            elif not self._deaf:
                sink.write(data)
        sink.close()

    async def _back(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            if not self._deaf:
                sink.write(data)
        sink.close()
