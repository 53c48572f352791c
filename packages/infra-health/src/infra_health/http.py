"""A check of an HTTP endpoint; it takes the extra `http`."""

from collections.abc import Container
from contextlib import nullcontext
from typing import Final

from infra_health._extras import missing_extra
from infra_health.check import DependencyCheck
from infra_health.messages import HealthMessages
from infra_protocols import HealthAnswerError, HealthResult

try:
    from httpx import AsyncClient
except ImportError as _error:
    raise missing_extra("http", _error) from _error

_GOOD: Final = range(200, 300)


class HttpCheck(DependencyCheck[str]):
    """
    Gets a URL, and looks at the status of the answer; redirects are not followed, the content is not read.

    Args:
        dependency: the URL.
        client: what to get it with, which is not closed; by default a new one each time, with a new connection.
        expected: the statuses that are well.
        name: what the check is called in reports.
        timeout: how many seconds it may take.

    >>> import asyncio
    >>> asyncio.run(HttpCheck("http://127.0.0.1:1/", client=AsyncClient(trust_env=False)).check()).cause
    'ConnectError'
    """

    def __init__(
        self,
        dependency: str,
        *,
        client: AsyncClient | None = None,
        expected: Container[int] = _GOOD,
        name: str = "http",
        timeout: float = 5.0,
    ) -> None:
        super().__init__(dependency, name=name, timeout=timeout)
        self._client = client
        self._expected = expected

    async def probe(self) -> HealthResult | None:
        """Get it."""
        opened = AsyncClient() if self._client is None else nullcontext(self._client)
        async with opened as client, client.stream("GET", self.dependency, timeout=self._timeout) as response:
            if response.status_code not in self._expected:
                answer, expected = response.status_code, self._expected
                raise HealthAnswerError(HealthMessages.HEALTH_WRONG_ANSWER.format(answer=answer, expected=expected))
