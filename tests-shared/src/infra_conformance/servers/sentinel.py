"""A primary and a replica that Sentinel watches over."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self, override

from infra_conformance.servers.redis import RedisServer
from infra_conformance.servers.waiting import wait_until

SERVICE: Final = "primary"
"""The name under which the Sentinels know the primary."""

# How often the Sentinels look, in milliseconds: else they take seconds to know of one another, and of a replica.
_HASTE: Final = ("info-period", 300, "publish-period", 200, "ping-period", 200, "ask-period", 200)


class RedisSentinel:
    """
    A primary, its replica, and Sentinels that promote the replica when the primary is gone.

    As a context manager it is started, and waited for until the Sentinels know the replica and one another. All methods
    block, some for seconds: an async test calls them by `asyncio.to_thread`::

        with RedisSentinel() as redis:
            client = Sentinel(redis.addresses).master_for(SERVICE)
            new = redis.failover()

    Args:
        sentinels: how many; most of them have to agree.
        down_after: seconds after which they take a server for dead that does not answer. The shorter, the sooner a
            machine that is busy looks like one that has failed.

    Attributes:
        servers: the two, the one that began as primary first.
        sentinels: the servers that are the Sentinels.

    Raises:
        EngineMissing: on entering: there is no `redis-server`.
        TimeoutError: on entering: they do not find one another.
    """

    def __init__(self, *, sentinels: int = 3, down_after: float = 2.0) -> None:
        self.servers: list[RedisServer] = []
        self.sentinels: list[RedisServer] = []
        self._count = sentinels
        self._down_after = round(down_after * 1000)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start the servers, then the Sentinels."""
        with self._stack as stack:
            primary = stack.enter_context(RedisServer())
            replica = stack.enter_context(RedisServer(f"replicaof 127.0.0.1 {primary.port}"))
            self.servers = [primary, replica]
            wait_until(lambda: _role(replica) == "slave", "the replica follows the primary")
            settings = self._settings(primary.port)
            self.sentinels = [stack.enter_context(_Sentinel(*settings)) for _ in range(self._count)]
            for sentinel in self.sentinels:
                sentinel.call("SENTINEL", "DEBUG", *_HASTE)
            self.wait_until_whole()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End them all."""
        for server in [*self.sentinels, *self.servers]:
            server.kill()
        self._stack.close()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where the Sentinels listen."""
        return [("127.0.0.1", sentinel.port) for sentinel in self.sentinels]

    def primary(self) -> RedisServer:
        """Return the server that a running Sentinel tells clients to use."""
        return self._told_by(self._running()[0])

    def failover(self) -> RedisServer:
        """
        Kill the primary, and return the other server when it was promoted and every Sentinel says so.

        The one that was killed can be started again, and becomes the replica.

        Raises:
            TimeoutError: it is not promoted, for want of a replica or of a majority of Sentinels.
        """
        old = self.primary()
        old.kill()
        [new] = [server for server in self.servers if server is not old]
        wait_until(
            lambda: all(self._told_by(sentinel) is new for sentinel in self._running()) and _role(new) == "master",
            "every Sentinel tells of a new primary",
        )
        return new

    def wait_until_whole(self) -> None:
        """
        Wait until every server and Sentinel runs, one server follows the other, and the Sentinels know all that.

        Raises:
            TimeoutError: that does not come.
        """
        wait_until(self._is_whole, "a replica follows the primary, and the Sentinels know it and one another")

    def _settings(self, port: int) -> list[str]:
        return [
            f"sentinel monitor {SERVICE} 127.0.0.1 {port} {self._count // 2 + 1}",
            f"sentinel down-after-milliseconds {SERVICE} {self._down_after}",
            f"sentinel failover-timeout {SERVICE} 3000",  # an attempt that failed is repeated after twice that
        ]

    def _running(self) -> list[RedisServer]:
        return [sentinel for sentinel in self.sentinels if sentinel.running]

    def _told_by(self, sentinel: RedisServer) -> RedisServer:
        port = int(_service(sentinel)["port"])
        [server] = [server for server in self.servers if server.port == port]
        return server

    def _is_whole(self) -> bool:
        if not all(server.running for server in [*self.servers, *self.sentinels]):
            return False
        whole = {"flags": "master", "num-slaves": "1", "num-other-sentinels": str(self._count - 1)}
        known = all(whole.items() <= _service(sentinel).items() for sentinel in self.sentinels)
        return known and _role(self.primary()) == "master" and sorted(map(_role, self.servers)) == ["master", "slave"]


class _Sentinel(RedisServer):
    @override
    def _arguments(self, port: int, folder: Path) -> list[str]:
        return [*super()._arguments(port, folder), "--sentinel"]


def _service(sentinel: RedisServer) -> dict[str, str]:
    match sentinel.call("SENTINEL", "MASTER", SERVICE):
        case list(reply):
            words = [str(word) for word in reply]
            return dict(zip(words[::2], words[1::2], strict=True))
        case reply:
            raise TypeError(reply)


def _role(server: RedisServer) -> str:
    replication = server.info("replication")
    # What it began to follow it does not follow yet.
    return replication["role"] if replication.get("master_link_status", "up") == "up" else "adrift"
