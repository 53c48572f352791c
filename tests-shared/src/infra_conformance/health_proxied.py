"""Dependencies that are reached through a network that fails."""

from typing import override

from infra_conformance.health import CheckedDependency
from infra_conformance.proxy import Proxy
from infra_protocols.health import HealthCheck


class ProxiedDependency[T](CheckedDependency[T]):
    """
    What is behind a `Proxy`: its dependency fails, hangs and is mended as the network does.

    Type parameters:
        T: the dependency.

    Args:
        proxy: the network, entered.
        check: the check, whose dependency is reached through it.
    """

    def __init__(self, proxy: Proxy, check: HealthCheck[T]) -> None:
        self._proxy = proxy
        self.check = check

    @override
    async def break_down(self) -> None:
        """Cut what is open, and refuse what is new."""
        self._proxy.refuse()
        self._proxy.cut()

    @override
    async def hang(self) -> None:
        """Let nothing through."""
        self._proxy.blackhole()

    @override
    async def mend(self) -> None:
        """Let everything through again."""
        self._proxy.restore()
