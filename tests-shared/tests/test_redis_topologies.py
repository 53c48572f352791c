"""A cluster, and a primary that Sentinel watches over: they are whole, and survive the loss of a primary."""

from collections.abc import Generator
from functools import partial

import pytest

from infra_conformance.engines import provided
from infra_conformance.servers import (
    SERVICE,
    RedisCluster,
    RedisSentinel,
    RedisServer,
    RespError,
    slot_of,
    wait_until,
)
from infra_conformance.servers.resp import call

KEYS = ["a", "b", "c"]
"""One for each primary."""


@pytest.fixture(scope="module")
def cluster() -> Generator[RedisCluster]:
    with provided(RedisCluster(replicas=1)) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def sentinel() -> Generator[RedisSentinel]:
    with provided(RedisSentinel()) as sentinel:
        yield sentinel


def wait_until_replicated(primary: RedisServer, replica: RedisServer) -> None:
    # Not WAIT: it speaks of the writes of its own connection, and each call has one of its own.
    written = int(primary.info("replication")["master_repl_offset"])
    wait_until(lambda: int(replica.info("replication")["slave_repl_offset"]) >= written, "the replica has all of it")


def test_a_cluster_is_whole(cluster: RedisCluster) -> None:
    assert {cluster.primary_of(key) for key in KEYS} == set(cluster.nodes[:3])
    assert [cluster.primary_of(slot_of(key)) for key in KEYS] == [cluster.primary_of(key) for key in KEYS]
    for key in KEYS:
        primary, [replica] = cluster.primary_of(key), cluster.replicas_of(key)
        for node in cluster.nodes:
            if node is primary:
                assert node.call("SET", key, "value") == "OK"
            else:
                with pytest.raises(RespError, match=f"MOVED {slot_of(key)} 127.0.0.1:{primary.port}"):
                    node.call("SET", key, "value")
        assert replica.info("replication")["master_port"] == str(primary.port)
    assert cluster.url == cluster.nodes[0].url


def test_a_cluster_survives_the_loss_of_a_primary(cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    key = KEYS[1]
    old = cluster.primary_of(key)
    [replica] = cluster.replicas_of(key)
    old.call("SET", key, "kept")
    wait_until_replicated(old, replica)
    new = cluster.failover(key)
    assert not old.running
    assert new is replica
    assert new.call("GET", key) == "kept"
    assert new.call("SET", key, "again") == "OK"
    assert cluster.replicas_of(key) == []
    assert cluster.url != old.url
    with monkeypatch.context() as hasty:
        hasty.setattr("infra_conformance.servers.cluster.wait_until", partial(wait_until, seconds=0.1))
        with pytest.raises(TimeoutError, match="every node of the cluster is there"):
            cluster.wait_until_whole()
    old.start()
    cluster.wait_until_whole()
    assert cluster.primary_of(key) is new
    assert cluster.replicas_of(key) == [old]


def test_a_pair_is_whole(sentinel: RedisSentinel) -> None:
    primary = sentinel.primary()
    [replica] = [server for server in sentinel.servers if server is not primary]
    assert replica.info("replication")["master_port"] == str(primary.port)
    assert len(sentinel.addresses) == 3
    for host, port in sentinel.addresses:
        assert host == "127.0.0.1"
        told = call(port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        assert told == ["127.0.0.1", str(primary.port)]


def test_a_pair_survives_the_loss_of_its_primary_and_of_a_sentinel(
    sentinel: RedisSentinel, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = sentinel.primary()
    [replica] = [server for server in sentinel.servers if server is not old]
    old.call("SET", "key", "kept")
    wait_until_replicated(old, replica)
    sentinel.sentinels[0].kill()
    assert sentinel.failover() is replica
    assert not old.running
    assert sentinel.primary() is replica
    assert replica.call("GET", "key") == "kept"
    assert replica.call("SET", "key", "again") == "OK"
    with monkeypatch.context() as hasty:
        hasty.setattr("infra_conformance.servers.sentinel.wait_until", partial(wait_until, seconds=0.1))
        with pytest.raises(TimeoutError, match="a replica follows the primary"):
            sentinel.wait_until_whole()
    old.start()
    sentinel.sentinels[0].start()
    sentinel.wait_until_whole()
    assert old.info("replication")["master_port"] == str(replica.port)
    assert old.call("GET", "key") == "again"
