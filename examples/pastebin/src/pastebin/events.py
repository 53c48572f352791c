"""What happens to pastes, as others are told of it."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from infra_protocols import JsonCodec, OutboxMessage

ALL: Final = "pastes.*"
"""The pattern of all topics."""


@dataclass(frozen=True, slots=True)
class PasteCreated:
    """A paste was put into the service."""

    id: str
    author: str


@dataclass(frozen=True, slots=True)
class PasteChanged:
    """A paste says something else, or is by somebody else, now."""

    id: str
    author: str


@dataclass(frozen=True, slots=True)
class PasteDeleted:
    """A paste is gone; it was by `author`."""

    id: str
    author: str


type PasteEvent = PasteCreated | PasteChanged | PasteDeleted

EVENTS: Final[JsonCodec[PasteEvent]] = JsonCodec(PasteEvent)
"""How an event is written: as JSON, which names its class."""

_TOPICS: Final = {
    PasteCreated: "pastes.created",
    PasteChanged: "pastes.changed",
    PasteDeleted: "pastes.deleted",
}


def outgoing(event: PasteEvent) -> OutboxMessage[PasteEvent]:
    """
    Return what is published of `event`: what happens to one paste keeps its order.

    >>> outgoing(PasteCreated("7f", "ada")).topic
    'pastes.created'
    """
    key = blake2b(event.id.encode(), digest_size=16).hexdigest()  # for a repository takes any text for an id
    return OutboxMessage(_TOPICS[type(event)], event, key=key)
