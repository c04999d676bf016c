"""A TCP relay in front of the app that counts the bytes of its websocket, as transferred."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_WEBSOCKET = b"GET /_stcore/stream"


class Wire:
    """The relay's port, and the websocket bytes in both directions, headers included."""

    def __init__(self, server_port: int) -> None:
        self.port, self.websocket_bytes, self._server_port = 0, 0, server_port

    async def listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
        first = await reader.read(65536)  # a browser sends its request in one piece
        counted = first.startswith(_WEBSOCKET)
        await asyncio.gather(
            self._pump(reader, back, counted, first), self._pump(there, writer, counted)
        )

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        counted: bool,
        piece: bytes = b"",
    ) -> None:
        with suppress(ConnectionError):
            piece = piece or await source.read(65536)
            while piece:
                self.websocket_bytes += counted * len(piece)
                sink.write(piece)
                await sink.drain()
                piece = await source.read(65536)
        sink.close()


@contextmanager
def relayed(server_port: int) -> Iterator[Wire]:
    """Run a relay to a local port until the block ends."""
    wire, loop = Wire(server_port), asyncio.new_event_loop()
    server = loop.run_until_complete(wire.listen())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
