"""The dead letters of a broker in memory."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infra_conformance.gallery.memory_hub import Hub, as_sent
from infra_protocols.errors import DecodeError, EntityExistsError, EntityNotFoundError
from infra_protocols.messages import ErrorMessages
from infra_protocols.messaging import DeadLetter
from infra_protocols.validation import or_raise, require_range

if TYPE_CHECKING:
    from infra_conformance.gallery.memory_broker import MemoryBroker


class MemoryLetters:
    """The dead letters that a hub keeps, as one of its brokers shows them."""

    def __init__(self, broker: "MemoryBroker") -> None:
        self.broker = broker
        self.hub: Hub = broker.hub

    def shown(self, letter: DeadLetter[bytes]) -> DeadLetter[Any]:
        """Return the letter with its message, if that can be decoded."""
        assert letter.data is not None
        try:
            message = self.broker.codec.decode(letter.data)
        except DecodeError:
            message = None
        return replace(letter, message=message)

    async def ask(self, operation: str) -> None:
        self.broker.check_open(operation)
        await self.hub.trip()

    async def peek(self, limit: int = 100) -> list[DeadLetter[Any]]:
        or_raise(require_range(limit, "limit", min=1))
        await self.ask("peek")
        return [self.shown(each) for each in list(self.hub.letters.values())[:limit]]

    async def replay(self, id: str) -> bool:
        await self.ask("replay")
        letter = self.hub.letters.get(id)
        group = None if letter is None else self.hub.group_of(letter)
        if letter is None or group is None:
            return False
        self.hub.replay(letter, group)
        return True

    async def discard(self, id: str) -> bool:
        return await self.delete(id)

    async def get(self, id: str) -> DeadLetter[Any] | None:
        await self.ask("get")
        letter = self.hub.letters.get(id)
        return None if letter is None else self.shown(letter)

    async def get_all(self) -> list[DeadLetter[Any]]:
        await self.ask("get_all")
        return [self.shown(each) for each in self.hub.letters.values()]

    async def create(self, entity: DeadLetter[Any]) -> DeadLetter[Any]:
        await self.ask("create")
        if entity.id in self.hub.letters:
            raise EntityExistsError(ErrorMessages.ENTITY_EXISTS.format(id=entity.id), operation="create")
        return self.keep(entity)

    async def update(self, entity: DeadLetter[Any]) -> DeadLetter[Any]:
        await self.ask("update")
        if entity.id not in self.hub.letters:
            raise EntityNotFoundError(ErrorMessages.ENTITY_NOT_FOUND.format(id=entity.id), operation="update")
        return self.keep(entity)

    def keep(self, entity: DeadLetter[Any]) -> DeadLetter[Any]:
        data = None if entity.message is None else self.broker.codec.encode(entity.message)
        letter = as_sent(entity, data)
        self.hub.put(letter)
        return self.shown(letter)

    async def delete(self, id: str) -> bool:
        await self.ask("delete")
        return self.hub.letters.pop(id, None) is not None

    async def exists(self, id: str) -> bool:
        await self.ask("exists")
        return id in self.hub.letters
