"""A network that fails when it is told to."""

import asyncio
import socket
import struct
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Final, Self

from infra_conformance.servers.ports import reserved

_HOST: Final = "127.0.0.1"
_PIECE: Final = 65_536
_RESET: Final = struct.pack("ii", 1, 0)  # linger for no time: closing is a reset


class Direction:
    """
    One direction of all connections of a `Proxy`.

    Attributes:
        delay: the seconds by which each piece of data is late; one that comes while another waits, by up to twice that.
    """

    def __init__(self) -> None:
        self.delay: float = 0.0
        self._open = asyncio.Event()
        self._held = asyncio.Event()
        self.release()

    def hold(self) -> None:
        """Let nothing pass, neither data nor connections nor their end, and tell nobody; it is kept for `release`."""
        self._open.clear()

    def release(self) -> None:
        """Let everything pass, first of all what was held back."""
        self._open.set()
        self._held.clear()

    async def held(self) -> None:
        """Wait until something is held back."""
        await self._held.wait()

    async def passable(self) -> None:
        """Wait until what has come may pass."""
        if self.delay:
            await asyncio.sleep(self.delay)
        while not self._open.is_set():
            self._held.set()
            await self._open.wait()


class Proxy:
    """
    Forwards the connections to a port of its own to a server of this machine, and does to them what it is told.

    As an async context manager it listens; at the end it resets what is open and leaves no task. It belongs to the
    event loop that entered it, and what it is told holds from then on, for the connections there are and for new ones::

        async with Proxy(server.port) as proxy:
            client = connect("127.0.0.1", proxy.port)
            proxy.to_client.hold()

    Args:
        target: the port of the server. When it refuses a connection, that of the client is reset.

    Attributes:
        port: where it listens.
        to_server: what clients send.
        to_client: what the server sends.
    """

    port: int

    def __init__(self, target: int) -> None:
        self.to_server: Direction = Direction()
        self.to_client: Direction = Direction()
        self._target = target
        self._stack = ExitStack()
        self._listener: socket.socket | None = None
        self._links: set[asyncio.Task[bool]] = set()
        self._cuts = 0

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        self._loop = asyncio.get_running_loop()
        self.port = self._stack.enter_context(reserved())
        self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    async def close(self) -> None:
        """Listen no more, and reset what is open."""
        self.refuse()
        self.cut()
        try:
            if self._links:
                await asyncio.wait(self._links)
        finally:
            self._stack.close()

    def cut(self) -> None:
        """Reset all connections, at both ends; nothing more passes through them. New ones are welcome."""
        self._cuts += 1
        for link in self._links:
            link.cancel()

    def refuse(self) -> None:
        """Let new connections be refused, as when nothing listens; those that are open go on."""
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def blackhole(self) -> None:
        """Accept connections and bytes and pass nothing on, either way, not even that a connection has ended."""
        self.to_server.hold()
        self.to_client.hold()

    def restore(self) -> None:
        """Undo it: what was held back passes, what comes is not late, new ones are let in. What was cut stays cut."""
        for direction in (self.to_server, self.to_client):
            direction.delay = 0.0
            direction.release()
        if self._listener is None:
            self._listen()

    def _listen(self) -> None:
        self._listener = socket.create_server((_HOST, self.port))
        self._listener.setblocking(False)
        self._loop.add_reader(self._listener, self._accept, self._listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:  # it has gone away again
            return
        server = socket.socket()
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = self._loop.create_task(self._forward(client, server))
        self._links.add(link)
        link.add_done_callback(partial(self._hang_up, client, server))

    async def _forward(self, client: socket.socket, server: socket.socket) -> bool:
        # Whether it ended in good order, at both ends.
        cuts = self._cuts

        async def pump(source: socket.socket, sink: socket.socket, direction: Direction) -> None:
            while True:
                data = await self._loop.sock_recv(source, _PIECE)
                await direction.passable()
                if self._cuts != cuts:  # the cancellation is on its way
                    raise ConnectionResetError
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                await self._loop.sock_sendall(sink, data)

        in_order = True
        try:
            await self.to_server.passable()
            await self._loop.sock_connect(server, (_HOST, self._target))
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(pump(client, server, self.to_server))
                pumps.create_task(pump(server, client, self.to_client))
        except* OSError:
            in_order = False
        return in_order

    def _hang_up(self, client: socket.socket, server: socket.socket, link: asyncio.Task[bool]) -> None:
        self._links.discard(link)
        with client, server:
            if link.cancelled() or not link.result():
                for end in (client, server):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
