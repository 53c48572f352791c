"""Redis tells what changes: client-side caching in broadcasting mode, on connections of its own."""

import asyncio
import time
from contextlib import suppress
from typing import Any, Protocol

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisError

from infra_cache.redis._links import Client
from infra_cache.redis._names import Names
from infra_protocols import full_jitter

_FIRST_WAIT, _LONGEST_WAIT = 0.02, 1.0


class Listener(Protocol):
    """Who is told what changes. What is called does not wait."""

    def on_change(self, name: str) -> None:
        """Take note that the entry called `name` was written, removed or expired."""
        ...

    def on_invalidation(self, tag: str) -> None:
        """Take note that `tag` was invalidated."""
        ...

    def on_flush(self) -> None:
        """Take note that everything was removed."""
        ...

    def on_lost(self) -> None:
        """Take note that changes are not told any more."""
        ...

    def on_found(self) -> None:
        """Take note that from now on every change is told; of those before, some may not have been."""
        ...


class Tracking:
    """
    Listens to every node that has keys of a cache, and reconnects for as long as it is not closed.

    A node that has said nothing for `heartbeat` seconds is asked, and lost if it says nothing for as long again.
    """

    def __init__(self, client: Client, names: Names, listener: Listener, heartbeat: float, timeout: float) -> None:
        self._client: Any = client
        self._names = names
        self._listener = listener
        self._heartbeat = heartbeat
        self._timeout = timeout
        self._tried = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._live(), name="infra_cache.tracking")

    async def tried(self) -> None:
        """Wait until the first try to listen has succeeded or failed."""
        await self._tried.wait()

    async def close(self) -> None:
        """Stop listening."""
        self._task.cancel()
        await asyncio.wait((self._task,))

    async def _live(self) -> None:
        attempt = 0
        while True:
            began = time.monotonic()
            try:
                await self._listen()
            except (ExceptionGroup, RedisError, OSError):
                pass  # what was lost is told below, and is found again
            finally:
                self._tried.set()
                self._listener.on_lost()
            # A connection that has held for a while was a good one: the next try is the first again.
            attempt = 0 if time.monotonic() - began > _LONGEST_WAIT else attempt + 1
            await asyncio.sleep(full_jitter(attempt, _FIRST_WAIT, _LONGEST_WAIT))

    async def _listen(self) -> None:
        if isinstance(self._client, RedisCluster):
            await self._client.initialize()
        nodes = self._nodes()
        connections = [_Ear(self._connection(node), self._names, self._listener) for node in nodes]
        try:
            async with asyncio.timeout(self._timeout):
                await asyncio.gather(*[ear.open() for ear in connections])
            self._listener.on_found()
            self._tried.set()
            async with asyncio.TaskGroup() as group:
                for ear in connections:
                    group.create_task(ear.listen())
                group.create_task(self._watch(nodes, connections))
        finally:
            for ear in connections:
                await ear.close()

    async def _watch(self, nodes: list[Any], connections: "list[_Ear]") -> None:
        while True:
            await asyncio.sleep(self._heartbeat)
            if self._nodes() != nodes:
                raise ConnectionResetError  # the keys have moved to where nobody listens
            for ear in connections:
                await ear.ask()

    def _nodes(self) -> list[Any]:
        if not isinstance(self._client, RedisCluster):
            return [self._client.connection_pool]
        if self._names.in_one_slot:
            return [self._client.get_node_from_key(self._names.tags.decode())]
        nodes: list[Any] = self._client.get_primaries()
        return sorted(nodes, key=lambda node: str(node.name))

    def _connection(self, node: Any) -> Any:
        # The node's own way to connect, TLS, password and Sentinel included; only RESP3 has messages of the server's.
        return node.connection_class(**{**node.connection_kwargs, "protocol": 3, "socket_timeout": None})


class _Ear:
    """One connection on which one node tells what changes."""

    def __init__(self, connection: Any, names: Names, listener: Listener) -> None:
        self._connection = connection
        self._names = names
        self._listener = listener
        self._heard = True

    async def open(self) -> None:
        await self._connection.connect()
        self._connection._parser.set_invalidation_push_handler(self._on_push)
        prefixes = [part for prefix in self._names.watched for part in (b"PREFIX", prefix)]
        await self._connection.send_command(b"CLIENT", b"TRACKING", b"ON", b"BCAST", *prefixes, check_health=False)
        await self._connection.read_response()

    async def listen(self) -> None:
        while True:
            await self._connection.read_response(push_request=True)
            self._heard = True

    async def ask(self) -> None:
        if not self._heard:
            raise ConnectionResetError
        self._heard = False
        await self._connection.send_command(b"PING", check_health=False)

    async def close(self) -> None:
        with suppress(RedisError, OSError):
            await self._connection.disconnect(nowait=True)

    async def _on_push(self, message: list[Any]) -> None:
        keys = message[1]
        if keys is None:
            self._listener.on_flush()
            return
        for key in keys:
            match self._names.named(key):
                case ("entry", name):
                    self._listener.on_change(name)
                case ("tag", tag):
                    self._listener.on_invalidation(tag)
                case _:
                    pass
