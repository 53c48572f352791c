"""The suite of `MessageBroker`: what was published is handled, by each group, until it is settled."""

from infra_conformance.broker_bounds import BoundChecks
from infra_conformance.broker_cancel import CancelChecks
from infra_conformance.broker_closing import ClosingChecks
from infra_conformance.broker_context import ContextChecks
from infra_conformance.broker_delivery import DeliveryChecks
from infra_conformance.broker_desk import BrokerOptions, Brokers
from infra_conformance.broker_groups import GroupChecks
from infra_conformance.broker_letters import LetterChecks
from infra_conformance.broker_model import BrokerMachine
from infra_conformance.broker_order import OrderChecks
from infra_conformance.broker_requests import RequestChecks
from infra_conformance.broker_routing import RoutingChecks
from infra_conformance.machine import Machine
from infra_conformance.proof import modelled

__all__ = ["BrokerOptions", "BrokerSuite", "Brokers"]


class BrokerSuite[TMessage](
    DeliveryChecks[TMessage],
    GroupChecks[TMessage],
    RoutingChecks[TMessage],
    ContextChecks[TMessage],
    CancelChecks[TMessage],
    LetterChecks[TMessage],
    ClosingChecks[TMessage],
    OrderChecks[TMessage],
    BoundChecks[TMessage],
    RequestChecks[TMessage],
):
    """
    Checks a `MessageBroker`.

    `make` yields a `Brokers`, which makes brokers over one engine. The messages are texts, unless `message` says what
    else they are.

    Type parameters:
        TMessage: the messages.

    >>> from contextlib import asynccontextmanager
    >>> class TestMyBroker(BrokerSuite[str]):
    ...     @asynccontextmanager
    ...     async def make(self, clock):
    ...         async with MyBrokers(clock) as brokers:
    ...             yield brokers
    """

    @modelled("broker-97", validates="10.4 10.5")
    def test_broker_model(self) -> type[Machine[Brokers[TMessage]]]:
        """Whatever happens, each group handles everything it was sent or has a dead letter of it, and nothing twice."""
        return BrokerMachine[TMessage].over()
