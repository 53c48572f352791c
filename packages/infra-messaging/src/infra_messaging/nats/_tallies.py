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

    async def keep(self, received: Sequence[Received], *, at_least: int = 0) -> None:
        """
        Keep how often each was handled, by its `attempt`.

        What a member holds counts as handled once `at_least`, in case it dies: of what is begun next nobody would hear.
        """
        owed = [(each, max(at_least, each.attempt)) for each in received]
        await together(self._keep(each, times) for each, times in owed if self._owes(each, times))

    async def correct(self, received: Sequence[Received]) -> None:
        """Set the `attempt` of each right, which is the server's count when it came."""
        await together(self._correct(each) for each in received)

    def drop(self, place: str) -> None:
        self._kept.pop(place, None)

    def _owes(self, received: Received, times: int) -> bool:
        count, place = counted(received.token)
        return times - count != self._kept.get(place, 0)

    async def _keep(self, received: Received, times: int) -> None:
        count, place = counted(received.token)
        more = times - count
        await self._link.store(self._names.tally(self._consumer, place), str(more).encode())
        self._kept[place] = more

    async def _correct(self, received: Received) -> None:
        _, place = counted(received.token)
        if place in self._kept:
            return
        subject = self._names.tally(self._consumer, place)
        found = await self._link.last(self._names.tallies, subject)
        if found is not None:
            self._kept[place] = more = int(found.data)
            received.attempt = max(1, received.attempt + more)
