"""Token stores that are wrong when calls overlap, are cancelled, or fail."""

import asyncio
from collections.abc import Callable
from typing import Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_store import trip
from infra_conformance.gallery.memory_tokens import Answer, RemoteTokenStore
from infra_protocols.auth import StoredToken
from infra_result import Err, Ok


class ChecksThenRevokes(RemoteTokenStore):
    """It looks whether a token is valid, and revokes it a round trip later: two callers hear True."""

    async def revoke(self, jti: str) -> bool:
        valid = await self.is_valid(jti)
        await super().revoke(jti)
        return valid


class TwoRotationsWin(RemoteTokenStore):
    """It looks whether a token can be rotated, and does so a round trip later."""

    async def rotate(self, jti: str, successor: StoredToken) -> Answer:
        row = await self.call(lambda: self.row(jti))
        if row is None or row.token.revoked or self.unfit_successor(row, successor) is not None:
            return await super().rotate(jti, successor)
        return await self.call(lambda: self.replaced(row, successor))


class RotatesByHalves(RemoteTokenStore):
    """It marks the old token, and stores the successor a round trip later."""

    async def rotate(self, jti: str, successor: StoredToken) -> Answer:
        answer = await super().rotate(jti, successor)
        if answer == Ok(successor):
            row = self.rows.pop(self.name(successor.jti), None)
            await trip()
            if row is not None:
                self.rows[self.name(successor.jti)] = row
        return answer


class ChecksThenStores(RemoteTokenStore):
    """It looks whether a jti is taken, and takes it a round trip later: both callers hear Ok."""

    async def store(self, token: StoredToken) -> Answer:
        error = await self.call(lambda: self.unfit(token))
        if error is not None:
            return Err(error)
        await self.call(lambda: self.put(token))
        return Ok(token)


class RevokesOneAfterTheOther(RemoteTokenStore):
    """It revokes a family token by token: one that is being rotated escapes."""

    async def revoke_family(self, family_id: str) -> int:
        names = await self.call(lambda: [name for name, row in self.rows.items() if row.token.family_id == family_id])
        return sum([await self.call(lambda name=name: self.revoked(name)) for name in names])


class StoresLater(RemoteTokenStore):
    """It returns from a store before it has taken effect."""

    async def store(self, token: StoredToken) -> Answer:
        if (error := self.unfit(token)) is not None:
            return Err(error)
        # The loop keeps no strong reference, so the store does.
        self.writing: asyncio.Task[Answer] = asyncio.create_task(super().store(token))
        return Ok(token)


class GoesOnWhenCancelled(RemoteTokenStore):
    """Its work is shielded, and takes a while: a caller that is cancelled leaves, and the effect comes later."""

    async def call[R](self, work: Callable[[], R]) -> R:
        async def slow() -> R:
            await asyncio.sleep(0.5)
            return await super(GoesOnWhenCancelled, self).call(work)

        return await asyncio.shield(asyncio.create_task(slow()))

    async def get(self, jti: str) -> StoredToken | None:
        row = await super().call(lambda: self.row(jti))
        return None if row is None else row.token


class TakesCancellationForNo(RemoteTokenStore):
    """A look that is cancelled is answered: not valid."""

    async def is_valid(self, jti: str) -> bool:
        try:
            return await super().is_valid(jti)
        except asyncio.CancelledError:
            return False


class FailsOpen(RemoteTokenStore):
    """While its engine is away, every token is valid."""

    async def is_valid(self, jti: str) -> bool:
        try:
            return await super().is_valid(jti)
        except ConnectionError:
            return True


class SaysThatItRevoked(RemoteTokenStore):
    """While its engine is away, it says that it has revoked, and has not."""

    async def revoke(self, jti: str) -> bool:
        try:
            return await super().revoke(jti)
        except ConnectionError:
            return True


FAULTS: Final = [
    Fault.of(ChecksThenRevokes, "token-41", "token-42"),
    Fault.of(TwoRotationsWin, "token-43"),
    Fault.of(RotatesByHalves, "token-41", "token-52"),
    Fault.of(ChecksThenStores, "token-41", "token-45"),
    Fault.of(RevokesOneAfterTheOther, "token-44", "token-53"),
    Fault.of(StoresLater, "token-02"),
    Fault.of(GoesOnWhenCancelled, "token-50", "token-51", "token-52", "token-53"),
    Fault.of(TakesCancellationForNo, "token-54"),
    Fault.of(FailsOpen, "token-54"),
    Fault.of(SaysThatItRevoked, "token-51"),
]
