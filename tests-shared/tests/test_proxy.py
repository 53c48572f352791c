"""The proxy does to connections what it is told, at once, and leaves nothing behind."""

import asyncio
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from infra_conformance.proxy import Proxy
from infra_conformance.servers import ports


class Peer:
    """A server that tells what comes, and says what it is told to."""

    def __init__(self) -> None:
        self.connections: asyncio.Queue[tuple[StreamReader, StreamWriter]] = asyncio.Queue()

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[int]:
        writers: list[StreamWriter] = []

        def connected(reader: StreamReader, writer: StreamWriter) -> None:
            writers.append(writer)
            self.connections.put_nowait((reader, writer))

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for writer in writers:
                writer.transport.abort()
            await server.wait_closed()


@asynccontextmanager
async def connected(port: int) -> AsyncGenerator[tuple[StreamReader, StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


class Link:
    """Both ends of one connection through a proxy."""

    def __init__(self, proxy: Proxy, peer: Peer, client: tuple[StreamReader, StreamWriter]) -> None:
        self.proxy, self.peer = proxy, peer
        self.from_server, self.to_server = client
        self.from_client: StreamReader
        self.to_client: StreamWriter

    async def accepted(self) -> None:
        self.from_client, self.to_client = await self.peer.connections.get()

    async def passes(self) -> None:
        """Both directions are open."""
        for reader, writer in ((self.from_client, self.to_server), (self.from_server, self.to_client)):
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"


@pytest.fixture
async def link() -> AsyncGenerator[Link]:
    peer = Peer()
    async with asyncio.timeout(20), peer.listening() as port, Proxy(port) as proxy, connected(proxy.port) as client:
        link = Link(proxy, peer, client)
        await link.accepted()
        yield link


async def silent(reader: StreamReader) -> bool:
    try:
        async with asyncio.timeout(0.05):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


async def test_all_passes_both_ways(link: Link) -> None:
    await link.passes()
    data = bytes(range(256)) * 8192
    link.to_server.write(data)
    link.to_client.write(data)
    assert await link.from_client.readexactly(len(data)) == data
    assert await link.from_server.readexactly(len(data)) == data


async def test_each_end_learns_that_the_other_has_said_all(link: Link) -> None:
    link.to_server.write(b"all")
    link.to_server.write_eof()
    assert await link.from_client.read() == b"all"
    link.to_client.write(b"reply")
    link.to_client.write_eof()
    assert await link.from_server.read() == b"reply"


async def test_a_reset_is_passed_on(link: Link) -> None:
    link.to_client.write(b"x" * 100_000)
    link.to_client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    link.to_client.transport.abort()
    with pytest.raises(ConnectionResetError):
        await link.from_server.read()


async def test_a_cut_resets_both_ends_and_lets_new_ones_in(link: Link) -> None:
    link.proxy.cut()
    for reader in (link.from_server, link.from_client):
        with pytest.raises(ConnectionResetError):
            await reader.read()
    async with connected(link.proxy.port) as client:
        new = Link(link.proxy, link.peer, client)
        await new.accepted()
        await new.passes()


async def test_nothing_slips_through_a_cut(link: Link) -> None:
    link.proxy.to_server.hold()
    link.to_server.write(b"late")
    await link.proxy.to_server.held()
    link.proxy.to_server.release()
    link.proxy.cut()
    with pytest.raises(ConnectionResetError):
        await link.from_client.read(1)


async def test_new_ones_are_refused_and_open_ones_go_on(link: Link) -> None:
    link.proxy.refuse()
    link.proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        async with connected(link.proxy.port):
            pytest.fail("it was let in")
    await link.passes()
    link.proxy.restore()
    link.proxy.restore()
    async with connected(link.proxy.port) as client:
        new = Link(link.proxy, link.peer, client)
        await new.accepted()
        await new.passes()


async def test_in_a_black_hole_nothing_comes_out_and_nobody_is_told(link: Link) -> None:
    link.proxy.blackhole()
    link.to_server.write(b"lost?")
    link.to_server.write_eof()
    link.to_client.write(b"lost?")
    link.to_client.write_eof()
    await link.proxy.to_server.held()
    await link.proxy.to_client.held()
    async with connected(link.proxy.port) as client:
        new = Link(link.proxy, link.peer, client)
        new.to_server.write(b"hello?")
        assert await silent(link.from_client)
        assert await silent(link.from_server)
        assert await silent(new.from_server)
        assert link.peer.connections.empty()
        link.proxy.restore()
        await new.accepted()
        assert await new.from_client.readexactly(6) == b"hello?"
        assert await link.from_client.read() == b"lost?"
        assert await link.from_server.read() == b"lost?"


async def test_one_direction_is_held_back_and_let_go(link: Link) -> None:
    link.proxy.to_client.hold()
    link.to_server.write(b"question")
    assert await link.from_client.readexactly(8) == b"question"
    link.to_client.write(b"answer")
    await link.proxy.to_client.held()
    assert await silent(link.from_server)
    link.proxy.to_client.release()
    assert await link.from_server.readexactly(6) == b"answer"
    await link.passes()


async def test_what_is_held_back_is_told_of_anew(link: Link) -> None:
    link.proxy.to_client.hold()
    link.to_client.write(b"once")
    await link.proxy.to_client.held()
    link.proxy.to_client.release()
    link.proxy.to_client.hold()  # before it could pass
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await link.from_server.read(1)
    await link.proxy.to_client.held()
    link.proxy.to_client.release()
    assert await link.from_server.readexactly(4) == b"once"
    link.proxy.to_client.hold()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await link.proxy.to_client.held()


@pytest.mark.parametrize("late", ["to_server", "to_client"])
async def test_one_direction_is_late(link: Link, late: str) -> None:
    ways = {"to_server": (link.to_server, link.from_client), "to_client": (link.to_client, link.from_server)}

    async def pass_through(way: str) -> float:
        writer, reader = ways[way]
        start = asyncio.get_running_loop().time()
        writer.write(b"data")
        assert await reader.readexactly(4) == b"data"
        return asyncio.get_running_loop().time() - start

    [punctual] = ways.keys() - {late}
    getattr(link.proxy, late).delay = 0.1
    assert await pass_through(late) > 0.099
    getattr(link.proxy, late).delay = 3600.0
    await pass_through(punctual)
    link.proxy.restore()
    await pass_through(late)


async def test_where_the_target_is_down_connections_are_reset() -> None:
    with ports.reserved() as nobody:
        async with Proxy(nobody) as proxy, connected(proxy.port) as (reader, _):
            with pytest.raises(ConnectionResetError):
                await reader.read()


async def test_its_end_resets_all_and_leaves_no_task_and_no_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer()
    before = asyncio.all_tasks()
    async with peer.listening() as port:
        proxy = Proxy(port)
        await proxy.__aenter__()
        async with connected(proxy.port) as used, connected(proxy.port) as stuck:
            link = Link(proxy, peer, used)
            await link.accepted()
            await link.passes()
            proxy.blackhole()
            stuck[1].write(b"data")
            link.to_client.write(b"data")
            await proxy.to_client.held()
            async with connected(proxy.port) as waiting:
                await proxy.close()
                assert asyncio.all_tasks() <= before
                assert ports.is_free(proxy.port)
                for reader, _ in (used, stuck, waiting):
                    with pytest.raises(ConnectionResetError):
                        await reader.read()
        await proxy.close()
        monkeypatch.setattr(ports, "_PORTS", range(proxy.port, proxy.port + 1))
        with ports.reserved() as port:  # it was given back
            assert port == proxy.port


async def test_its_end_may_be_cancelled(link: Link) -> None:
    before = {asyncio.current_task()}
    closing = asyncio.create_task(link.proxy.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    with pytest.raises(ConnectionResetError):
        await link.from_client.read()
    assert {task for task in asyncio.all_tasks() if not task.done()} <= before
    assert ports.is_free(link.proxy.port)
