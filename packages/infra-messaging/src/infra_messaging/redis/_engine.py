"""Redis Streams as an engine."""

from collections.abc import Sequence
from itertools import batched
from typing import Final

from infra_messaging.redis._feeds import PartitionFeed, SharedFeed
from infra_messaging.redis._groups import Group, Groups
from infra_messaging.redis._letters import RedisLetters
from infra_messaging.redis._line import Line, run
from infra_messaging.redis._link import Client
from infra_messaging.redis._members import Membership, forget
from infra_messaging.redis._names import Names
from infra_messaging.redis._publisher import Publisher
from infra_messaging.redis._scripts import GROUPS, SWEEP
from infra_protocols import SubscriptionConfig

_MOST: Final = 1000
"""How many groups a script is given at once."""


class RedisEngine:
    """An engine that has a connection to publish, one for all else, and one for each feed to wait on."""

    def __init__(self, client: Client, namespace: str, timeout: float, max_backlog: int, window: float) -> None:
        self._client = client
        self._names = Names(namespace)
        self._timeout = timeout
        self._line = Line(client, timeout)
        self._publisher = Publisher(client, self._names, timeout, max_backlog, window)
        self.publish = self._publisher.publish
        self.letters: RedisLetters = RedisLetters(self._names, self._line)

    async def open(self) -> None:
        try:
            reply = await self._line.ask(run(GROUPS, [self._names.groups]))
            own = [group for group in Groups(self._names, reply).all.values() if group.is_own]
            for some in batched(own, _MOST):
                keys = [self._names.groups, *[group.streams[0] for group in some]]
                await self._line.ask(run(SWEEP, keys, *[group.id for group in some]))
        except BaseException:
            await self._line.close()
            raise

    async def close(self) -> None:
        try:
            await self._publisher.close()
        finally:
            await self._line.close()

    async def subscribe(
        self, pattern: str, group: str | None, config: SubscriptionConfig
    ) -> Sequence[SharedFeed | PartitionFeed]:
        joined = Group.of(self._names, pattern, group, config.partitions)
        membership = Membership(joined, config.lease, self._names, self._line)
        await membership.join()
        if config.partitions is None:
            return [SharedFeed(membership, self._line, self._own(), self.letters)]
        return [
            PartitionFeed(membership, partition, self._line, self._own(), self.letters)
            for partition in range(config.partitions)
        ]

    async def forget(self, pattern: str, group: str) -> None:
        await forget(Group.of(self._names, pattern, group, None), self._names, self._line)

    def _own(self) -> Line:
        return Line(self._client, self._timeout)
