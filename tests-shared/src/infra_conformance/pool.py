"""The suite of `ConnectionPoolProtocol`: a pool lends connections, and gets every one of them back."""

from infra_conformance.machine import Machine
from infra_conformance.pool_cancel import CancelChecks
from infra_conformance.pool_closing import ClosingChecks, OpeningChecks
from infra_conformance.pool_desk import Pools
from infra_conformance.pool_faults import DeadChecks, OutageChecks
from infra_conformance.pool_lending import LendingChecks
from infra_conformance.pool_life import AgeChecks, LookChecks, PlaceChecks, SizeChecks
from infra_conformance.pool_model import PoolMachine
from infra_conformance.pool_order import OrderChecks
from infra_conformance.pool_script import Connection
from infra_conformance.proof import modelled

__all__ = ["Connection", "ConnectionPoolSuite", "Pools"]


class ConnectionPoolSuite[T](
    LendingChecks[T],
    OrderChecks[T],
    OutageChecks[T],
    DeadChecks[T],
    AgeChecks[T],
    OpeningChecks[T],
    CancelChecks[T],
    SizeChecks[T],
    ClosingChecks[T],
    PlaceChecks[T],
    LookChecks[T],
):
    """
    Checks a `ConnectionPoolProtocol`.

    Without more said, the connections are those of a factory of the suite, which fails, hangs and takes its time as a
    check wants it: `T` is `Connection`. For a pool on an engine override `factory`, and declare
    `scripted_factory = False` and `real_time = True`.

    Type parameters:
        T: the connection.

    >>> class TestMyPool(ConnectionPoolSuite[Connection]):
    ...     def make_pool(self, factory, config, clock, meter):
    ...         return MyPool(factory, config, clock=clock, meter=meter)
    """

    # **Feature: infrastructure-generics-review-2025, Property 6: Pool Counter Invariant**
    # **Validates: Requirements 5.5**
    @modelled("pool-60", validates="5.5")
    def test_pool_model(self) -> type[Machine[Pools[T]]]:
        """Whatever happens to a pool, its counts add up, are those of what is there, and nothing is ever lost."""
        return PoolMachine[T].over()
