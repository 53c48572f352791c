"""
How often messages were handled, where that is not how often the server has handed them out.

It counts one that was given back unhandled, and does not count that a member has tried again in place. What has to be
added to its count is kept in a stream, for a week.
"""

from collections.abc import Sequence

from infra_messaging._engine import Received
from infra_messaging.nats._link import Link, together
from infra_messaging.nats._names import Names


def counted(token: str) -> tuple[int, str]:
    """
    Return how often the server has handed out what is settled at `token`, and its place in the stream.

    The subject is `$JS.ACK.<stream>.<consumer>.<count>.<place>....`; newer servers have the domain and the account
    before the stream.
    """
    words = token.split(".")
    at = 4 if len(words) == 9 else 6
    return int(words[at]), words[at + 1]


class Tallies:
    """Those of one consumer."""

    def __init__(self, link: Link, names: Names, consumer: str) -> None:
        self._link = link
        self._names = names
        self._consumer = consumer
        self._kept: dict[str, int] = {}

    async def keep(self, received: Sequence[Received]) -> None:
        """Keep how often each was handled, by its `attempt`."""
        await together(self._keep(each) for each in received if self._owes(each))

    async def correct(self, received: Sequence[Received]) -> None:
        """Set the `attempt` of each right, which is the server's count."""
        await together(self._correct(each) for each in received)

    def drop(self, received: Sequence[Received]) -> None:
        if self._kept:
            for each in received:
                self._kept.pop(each.token, None)

    def _owes(self, received: Received) -> bool:
        return received.attempt - counted(received.token)[0] != self._kept.get(received.token, 0)

    async def _keep(self, received: Received) -> None:
        count, place = counted(received.token)
        more = received.attempt - count
        await self._link.store(self._names.tally(self._consumer, place), str(more).encode())
        self._kept[received.token] = more

    async def _correct(self, received: Received) -> None:
        count, place = counted(received.token)
        subject = self._names.tally(self._consumer, place)
        found = await self._link.last(self._names.tallies, subject)
        if found is not None:
            more = int(found.data)
            received.attempt = max(1, count + more)
            self._kept[received.token] = more
