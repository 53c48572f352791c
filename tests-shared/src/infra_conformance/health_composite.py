"""The suite of `CompositeHealthCheckProtocol`: what whatever combines checks promises."""

from infra_conformance.health_runs import RunChecks
from infra_conformance.health_status import Composites, StatusChecks

__all__ = ["CompositeHealthCheckSuite", "Composites"]


class CompositeHealthCheckSuite(StatusChecks, RunChecks):
    """
    Checks a `CompositeHealthCheckProtocol`.

    The subject makes composites of the checks that it is given; it closes them at the end, if they need it.

    >>> from contextlib import asynccontextmanager
    >>> class MyComposites(Composites):
    ...     def __init__(self, clock):
    ...         self.clock = clock
    ...     def composite(self, components, policy, deadline):
    ...         return MyComposite(components, policy, deadline, self.clock)
    >>> class TestMyComposite(CompositeHealthCheckSuite):
    ...     @asynccontextmanager
    ...     async def make(self, clock):
    ...         yield MyComposites(clock)
    """
