"""A check of whether something listens."""

import asyncio
from contextlib import suppress

from infra_health.check import DependencyCheck
from infra_protocols import HealthResult, or_raise, require_range, require_text


class TcpCheck(DependencyCheck[tuple[str, int]]):
    """
    Connects to a TCP port, and hangs up.

    That it listens is all this says: a process that is stopped still does. Where there is a check of what is spoken
    there, use that.

    Args:
        host: the name or address.
        port: the port.
        name: what the check is called in reports.
        timeout: how many seconds it may take.

    Raises:
        ValidationError: an argument is none.

    >>> asyncio.run(TcpCheck("127.0.0.1", 1, timeout=1).check()).cause
    'ConnectionRefusedError'
    """

    def __init__(self, host: str, port: int, *, name: str = "tcp", timeout: float = 5.0) -> None:
        or_raise(require_text(host, "host"))
        or_raise(require_range(port, "port", min=1, max=65535))
        super().__init__((host, port), name=name, timeout=timeout)

    async def probe(self) -> HealthResult | None:
        """Connect."""
        _, writer = await asyncio.open_connection(*self.dependency)
        writer.transport.abort()  # nothing was said, so nothing has to arrive
        with suppress(OSError):  # the other side may have hung up first
            await writer.wait_closed()
