"""A broker inside of one process."""

from infra_messaging._broker import Broker
from infra_messaging._codecs import AsTheyAre
from infra_messaging._memory import MemoryEngine
from infra_protocols import Clock, or_raise, require_range, require_type


class InMemoryBroker[TMessage](Broker[TMessage]):
    """
    A `MessageBroker` that keeps everything in the memory of its process.

    Messages are handed on as the objects that they are, and not copied. Groups and dead letters last as long as the
    broker does. Of messages that are published with an `id`, one that was among the last 10,000 ids is dropped.

    Args:
        max_backlog: how many messages may be unsettled in a group.
        close_timeout: how many seconds `close` waits for handlers that run, unless told otherwise.
        source: what its messages have as `ce-source`.
        clock: the time of day.

    Type parameters:
        TMessage: the messages.

    Raises:
        ValidationError: an argument is out of bounds.

    >>> import asyncio
    >>> async def main() -> None:
    ...     async def greet(name: str) -> str:
    ...         return f"hello {name}"
    ...     async with InMemoryBroker[str]() as broker:
    ...         await broker.subscribe("people.*", greet, group="greeters")
    ...         print(await broker.request("people.new", "Ada", timeout=1))
    >>> asyncio.run(main())
    Ok('hello Ada')
    """

    def __init__(
        self,
        *,
        max_backlog: int = 1_000_000,
        close_timeout: float = 10.0,
        source: str = "infra-messaging",
        clock: Clock | None = None,
    ) -> None:
        or_raise(require_range(or_raise(require_type(max_backlog, "max_backlog", int)), "max_backlog", min=1))
        super().__init__(
            MemoryEngine(max_backlog), AsTheyAre(), close_timeout=close_timeout, source=source, clock=clock
        )
