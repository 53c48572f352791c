"""What the service says of itself when it is asked how it is."""

from typing import Final

from infra_health import CompositeHealthCheck, HealthApp, StoreCheck, health_app, health_check
from infra_protocols import CacheProvider, HealthComponent, HealthPolicy
from pastebin.repository import PasteRepository
from pastebin.service import Read

POLICY: Final = HealthPolicy(timeout=2, healthy_ttl=1)
"""However often it is asked, each check runs once a second at most while all is well."""


def create_health(pastes: PasteRepository, cache: CacheProvider[Read]) -> HealthApp:
    """
    Return the application that answers the probes.

    Without its database the service can do nothing. Without its cache it reads, and does not write: it is degraded.
    """

    @health_check
    async def database() -> None:
        await pastes.newest(1)

    cached = HealthComponent(StoreCheck[str, Read](cache, (), name="cache"), critical=False)
    return health_app(CompositeHealthCheck([database, cached], POLICY), description="pastebin")
