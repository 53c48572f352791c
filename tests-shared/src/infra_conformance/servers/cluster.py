"""A Redis Cluster."""

from binascii import crc_hqx
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from infra_conformance.servers.ports import reserved
from infra_conformance.servers.redis import RedisServer
from infra_conformance.servers.resp import Reply, RespError, fields
from infra_conformance.servers.waiting import wait_until

SLOTS: Final = 16384
_PRIMARIES: Final = 3


def slot_of(key: str) -> int:
    """
    Return the slot of a key; of a key with a part in braces, that part alone counts.

    >>> slot_of("123456789")
    12739
    >>> slot_of("{user:1}:name") == slot_of("user:1")
    True
    """
    _, _, rest = key.partition("{")
    tag, closing, _ = rest.partition("}")
    return crc_hqx((tag if tag and closing else key).encode(), 0) % SLOTS


class RedisCluster:
    """
    Three primaries that share the slots, each with as many replicas as wanted.

    As a context manager it is started, and waited for until every node is content with it. All methods block, some for
    seconds: an async test calls them by `asyncio.to_thread`::

        with RedisCluster(replicas=1) as cluster:
            cluster.primary_of("key").call("SET", "key", "value")
            new = cluster.failover("key")

    Args:
        replicas: of each primary; without any there is no failover.
        node_timeout: seconds after which the nodes take one of them for dead that does not answer. The shorter, the
            sooner is a failover, and the likelier is one for no reason when the machine is busy.

    Attributes:
        nodes: the servers: the first three began as primaries, the others as replicas of them in turn.

    Raises:
        EngineMissing: on entering: there is no `redis-server`.
        TimeoutError: on entering: the nodes do not agree.
    """

    def __init__(self, *, replicas: int = 0, node_timeout: float = 2.0) -> None:
        self.nodes: list[RedisServer] = []
        self._size = _PRIMARIES * (1 + replicas)
        self._node_timeout = round(node_timeout * 1000)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start the nodes, and make them one cluster."""
        with self._stack as stack:
            buses = [stack.enter_context(reserved()) for _ in range(self._size)]
            self.nodes = [stack.enter_context(self._node(bus)) for bus in buses]
            self._share_slots()
            for node, bus in zip(self.nodes, buses, strict=True):
                self.nodes[0].call("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
            for number, node in enumerate(self.nodes[_PRIMARIES:]):
                self._replicate(node, self.nodes[number % _PRIMARIES])
            self.wait_until_whole()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the nodes."""
        for node in self.nodes:
            node.kill()
        self._stack.close()

    @property
    def url(self) -> str:
        """The URL of a node that runs."""
        return self._running()[0].url

    def primary_of(self, key: str | int) -> RedisServer:
        """Return the node that now holds a key, or a slot if it is given as a number."""
        return self._holders(self._running()[0], key)[0]

    def replicas_of(self, key: str | int) -> list[RedisServer]:
        """Return the nodes that now follow the one that holds a key or a slot."""
        return self._holders(self._running()[0], key)[1:]

    def failover(self, key: str | int) -> RedisServer:
        """
        Kill the node that holds a key or a slot, and return its successor when all other nodes have agreed on it.

        The one that was killed can be started again, and becomes a replica.

        Raises:
            TimeoutError: they do not agree, for want of a replica or of a majority of primaries.
        """
        old = self.primary_of(key)
        old.kill()
        wait_until(
            lambda: all(self._holders(node, key)[0] is not old and _is_ok(node) for node in self._running()),
            "every node of the cluster knows a new primary",
        )
        return self.primary_of(key)

    def wait_until_whole(self) -> None:
        """
        Wait until every node runs, knows all others, and follows its primary if it is a replica.

        Raises:
            TimeoutError: that does not come.
        """
        wait_until(lambda: all(map(self._is_whole, self.nodes)), "every node of the cluster is there and content")

    def _node(self, bus: int) -> RedisServer:
        return RedisServer(
            "cluster-enabled yes",
            f"cluster-port {bus}",
            f"cluster-node-timeout {self._node_timeout}",
            "repl-ping-replica-period 1",  # a replica to which nothing was sent yet is not told of
        )

    def _share_slots(self) -> None:
        bounds = [SLOTS * number // _PRIMARIES for number in range(_PRIMARIES + 1)]
        for number, node in enumerate(self.nodes[:_PRIMARIES]):
            node.call("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
            node.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)

    def _replicate(self, node: RedisServer, primary: RedisServer) -> None:
        id = str(primary.call("CLUSTER", "MYID"))

        def done() -> bool:
            try:
                return node.call("CLUSTER", "REPLICATE", id) == "OK"
            except RespError:  # it has not heard of the primary yet
                return False

        wait_until(done, "a node follows its primary")

    def _running(self) -> list[RedisServer]:
        return [node for node in self.nodes if node.running]

    def _is_whole(self, node: RedisServer) -> bool:
        if not node.running or not _is_ok(node):
            return False
        known = {server for shard in _shards(node) for server in shard[1]}
        follows = node.info("replication").get("master_link_status", "up") == "up"
        return follows and known == {other.port for other in self.nodes}

    def _holders(self, node: RedisServer, key: str | int) -> list[RedisServer]:
        slot = key if isinstance(key, int) else slot_of(key)
        by_port = {node.port: node for node in self.nodes}
        [ports] = [ports for slots, ports in _shards(node) if slot in slots]
        return [by_port[port] for port in ports]


def _is_ok(node: RedisServer) -> bool:
    return fields(node.call("CLUSTER", "INFO"))["cluster_state"] == "ok"


def _shards(node: RedisServer) -> list[tuple[range, list[int]]]:
    # Each is: first slot, last slot, primary, replicas; each node is: address, port, and more.
    match node.call("CLUSTER", "SLOTS"):
        case list(shards):
            return [_shard(shard) for shard in shards]
        case reply:
            raise TypeError(reply)


def _shard(shard: Reply) -> tuple[range, list[int]]:
    match shard:
        case [int(first), int(last), *servers]:
            return range(first, last + 1), [_port(server) for server in servers]
        case _:
            raise TypeError(shard)


def _port(server: Reply) -> int:
    match server:
        case [str(), int(port), *_]:
            return port
        case _:
            raise TypeError(server)
