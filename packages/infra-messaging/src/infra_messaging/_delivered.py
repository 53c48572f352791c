"""What a handler can ask of the message that it is called with."""

from collections.abc import Mapping

from infra_messaging._engine import Received


class Delivered:
    """A `Delivery`."""

    __slots__ = ("attempt", "group", "received")

    def __init__(self, received: Received, group: str | None) -> None:
        self.received = received
        self.group = group
        self.attempt = received.attempt

    @property
    def id(self) -> str:
        return self.received.envelope.id

    @property
    def topic(self) -> str:
        return self.received.envelope.topic

    @property
    def key(self) -> str | None:
        return self.received.envelope.key

    @property
    def headers(self) -> Mapping[str, str]:
        return self.received.envelope.headers
