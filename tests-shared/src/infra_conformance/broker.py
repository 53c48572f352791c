"""The suite of `MessageBroker`: what was published is handled, by each group, until it is settled."""

from infra_conformance.broker_closing import ClosingChecks
from infra_conformance.broker_delivery import DeliveryChecks
from infra_conformance.broker_desk import BrokerOptions, Brokers
from infra_conformance.broker_groups import GroupChecks
from infra_conformance.broker_letters import LetterChecks
from infra_conformance.broker_routing import RoutingChecks

__all__ = ["BrokerOptions", "BrokerSuite", "Brokers"]


class BrokerSuite[TMessage](
    DeliveryChecks[TMessage],
    GroupChecks[TMessage],
    RoutingChecks[TMessage],
    LetterChecks[TMessage],
    ClosingChecks[TMessage],
):
    """
    Checks a `MessageBroker`.

    `make` yields a `Brokers`, which makes brokers over one engine. The messages are texts, unless `message` says what
    else they are.

    Type parameters:
        TMessage: the messages.

    >>> class TestMyBroker(BrokerSuite[str]):
    ...     @asynccontextmanager
    ...     async def make(self, clock):
    ...         async with MyBrokers(clock) as brokers:
    ...             yield brokers
    """
