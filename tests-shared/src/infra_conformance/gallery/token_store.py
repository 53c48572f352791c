"""The gallery of token stores: one store for each way to be wrong."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_store import trip
from infra_conformance.gallery.memory_tokens import Answer, RemoteTokenStore, Row
from infra_protocols.auth import StoredToken
from infra_protocols.errors import TokenExistsError, ValidationError
from infra_result import Err, Ok


class ReturnsAFuture(RemoteTokenStore):
    """Its revoke is no coroutine function: it returns something that can be awaited."""

    def revoke(self, jti: str) -> Any:
        return asyncio.ensure_future(super().revoke(jti))


class KeepsWhenItWasStored(RemoteTokenStore):
    """It keeps the time of the store for that of the creation."""

    def put(self, token: StoredToken) -> None:
        super().put(replace(token, created_at=token.expires_at))


class RaisesForTheUnknown(RemoteTokenStore):
    """To revoke what it does not know is an error for it."""

    def revoked(self, jti: str) -> bool:
        if self.row(jti) is None:
            raise KeyError(jti)
        return super().revoked(jti)


class Revives(RemoteTokenStore):
    """A revoked token can be stored again, and is valid."""

    def known(self, token: StoredToken) -> bool:
        row = self.row(token.jti)
        return row is not None and not row.token.revoked


class Overwrites(RemoteTokenStore):
    """The last one who stores a jti has it."""

    def known(self, token: StoredToken) -> bool:
        return False


class HidesThatItWasRevoked(RemoteTokenStore):
    """Its get returns the token as it was stored."""

    async def get(self, jti: str) -> StoredToken | None:
        token = await super().get(jti)
        return None if token is None else replace(token, revoked=False)

    async def is_valid(self, jti: str) -> bool:
        token = await super().get(jti)
        return token is not None and not token.revoked


class SaysTrueTwice(RemoteTokenStore):
    """Its revoke says True for whatever is known."""

    def revoked(self, jti: str) -> bool:
        return super().revoked(jti) or self.row(jti) is not None


class TakesBlanks(RemoteTokenStore):
    """An identifier may be blank."""

    def good(self, text: object, field: str) -> str:
        return super().good(text if text != " " else "blank", field)


class RaisesForBlanks(RemoteTokenStore):
    """A store of what is blank raises, and returns no Err."""

    def stored(self, token: StoredToken) -> Answer:
        answer = super().stored(token)
        if isinstance(answer, Err) and isinstance(answer.error, ValidationError):
            raise answer.error
        return answer


class NeverForgets(RemoteTokenStore):
    """A token that was stored is valid for ever."""

    def row(self, jti: str) -> Row | None:
        return self.rows.get(self.name(jti))


class KeepsJtisTaken(RemoteTokenStore):
    """The jti of a token whose time is over stays taken."""

    def known(self, token: StoredToken) -> bool:
        return self.name(token.jti) in self.rows


class CountsWhatIsOver(RemoteTokenStore):
    """What it revokes of a family counts even if its time is over."""

    def revoke_rows(self, field: str, value: str) -> int:
        theirs = [row for row in self.rows.values() if getattr(row.token, field) == value and not row.token.revoked]
        super().revoke_rows(field, value)
        return len(theirs)


class TakesWhatIsOver(RemoteTokenStore):
    """It stores a token whose time is over."""

    def unfit(self, token: StoredToken) -> Any:
        error = super().unfit(token)
        return None if error is not None and error.error_code == "TOKEN_EXPIRED" else error


class TakesTimesWithoutZone(RemoteTokenStore):
    """It takes a time without a zone for one in UTC."""

    def unfit(self, token: StoredToken) -> Any:
        ends: Any = token.expires_at
        zone = self.clock.now().tzinfo
        return super().unfit(replace(token, expires_at=ends.replace(tzinfo=zone)) if hasattr(ends, "year") else token)


class RevokesFamiliesThatBeginSo(RemoteTokenStore):
    """A family is what begins with its name."""

    def revoke_rows(self, field: str, value: str) -> int:
        names = {getattr(row.token, field) for row in self.rows.values()}
        return sum(
            super(RevokesFamiliesThatBeginSo, self).revoke_rows(field, name) for name in names if name[:1] == value[:1]
        )


class CountsAllOfAFamily(RemoteTokenStore):
    """What it revokes of a family counts even if it was revoked before."""

    def revoke_rows(self, field: str, value: str) -> int:
        super().revoke_rows(field, value)
        return sum(getattr(row.token, field) == value for row in self.rows.values())


class LosesItsUserIndex(RemoteTokenStore):
    """Of the tokens of a user it finds those of the last family alone."""

    def revoke_rows(self, field: str, value: str) -> int:
        if field == "user_id":
            families = [row.token.family_id for row in self.rows.values() if row.token.user_id == value]
            return super().revoke_rows("family_id", families[-1]) if families else 0
        return super().revoke_rows(field, value)


class RevokesEverybody(RemoteTokenStore):
    """To log a user out logs everybody out."""

    def revoke_rows(self, field: str, value: str) -> int:
        count = super().revoke_rows(field, value)
        if field == "user_id":
            for row in self.rows.values():
                self.mark(row)
        return count


class BarsTheUser(RemoteTokenStore):
    """A user whose tokens were all revoked gets no valid one any more."""

    def put(self, token: StoredToken) -> None:
        barred = any(row.token.user_id == token.user_id and row.token.revoked for row in self.rows.values())
        super().put(replace(token, revoked=barred or token.revoked))


class FoldsCase(RemoteTokenStore):
    """Upper and lower case are one jti for it."""

    def name(self, jti: str) -> str:
        return jti.casefold()


class Trims(RemoteTokenStore):
    """Blanks around a jti do not count for it."""

    def name(self, jti: str) -> str:
        return jti.strip()


class CutsOff(RemoteTokenStore):
    """Its column is too short, and it cuts off what does not fit."""

    def name(self, jti: str) -> str:
        return jti[:1]


class ClearsTooMuch(RemoteTokenStore):
    """Its cleanup removes what is not over yet."""

    def cleared(self) -> int:
        count = len(self.rows)
        self.rows.clear()
        return min(count, 3)


class ClearsAndCountsAgain(RemoteTokenStore):
    """Its cleanup counts what it has cleared before."""

    def cleared(self) -> int:
        self.count: int = getattr(self, "count", 0) + super().cleared()
        return self.count


class StoresRevokedOnesAsValid(RemoteTokenStore):
    """Whatever is stored is valid."""

    def put(self, token: StoredToken) -> None:
        super().put(replace(token, revoked=False))


class LeavesTheOldOneValid(RemoteTokenStore):
    """A token that was rotated is still valid."""

    def replaced(self, row: Row, successor: StoredToken) -> Answer:
        answer = super().replaced(row, successor)
        row.token = replace(row.token, revoked=False)
        return answer


class KnowsNoGrace(RemoteTokenStore):
    """A client that did not hear the answer is taken for a thief."""

    def in_grace(self, row: Row) -> bool:
        return False


class TakesWhatARepeatBrings(RemoteTokenStore):
    """A repeat gets the successor that it brings, as well."""

    def repeated(self, row: Row, successor: StoredToken) -> Answer:
        if not self.known(successor):
            self.put(successor)
        return Ok(successor)


class EndlessGrace(RemoteTokenStore):
    """A repeat is answered at any time: what was stolen goes unnoticed."""

    def in_grace(self, row: Row) -> bool:
        return True


class RefusesReuseAndNoMore(RemoteTokenStore):
    """A reuse is refused, and the family lives on in the hands of the thief."""

    def reused(self, row: Row) -> Answer:
        valid = [each for each in self.rows.values() if not each.token.revoked]
        answer = super().reused(row)
        for each in valid:
            each.token = replace(each.token, revoked=False)
        return answer


class ReuseRevokesTheUser(RemoteTokenStore):
    """A reuse revokes all that the user has, other families too."""

    def reused(self, row: Row) -> Answer:
        self.revoke_rows("user_id", row.token.user_id)
        return super().reused(row)


class RotatesTheRevoked(RemoteTokenStore):
    """A revoked token gets a successor, which is valid."""

    def rotated(self, jti: str, successor: StoredToken) -> Answer:
        row = self.row(jti)
        if row is not None and row.successor is None and not self.known(successor):
            row.token = replace(row.token, revoked=False)
        return super().rotated(jti, successor)


class RevivesByRepeating(RemoteTokenStore):
    """A repeat makes the successor valid again."""

    def repeated(self, row: Row, successor: StoredToken) -> Answer:
        there = self.row(row.successor or "")
        if there is not None and there.successor is None:
            there.token = replace(there.token, revoked=False)
        return super().repeated(row, successor)

    def mark(self, row: Row) -> None:
        row.token = replace(row.token, revoked=True)


class OverwritesBySuccessors(RemoteTokenStore):
    """A successor takes the place of whatever has its jti."""

    def unfit_successor(self, row: Row, token: StoredToken) -> Any:
        error = super().unfit_successor(row, token)
        return None if isinstance(error, TokenExistsError) else error


class TakesSuccessorsOfOthers(RemoteTokenStore):
    """A successor may be of another user or family."""

    def unfit_successor(self, row: Row, token: StoredToken) -> Any:
        return self.unfit(token)


class EndsTheFamily(RemoteTokenStore):
    """A successor founds a family of its own."""

    def replaced(self, row: Row, successor: StoredToken) -> Answer:
        answer = super().replaced(row, successor)
        self.rows[self.name(successor.jti)].token = replace(successor, family_id=successor.jti)
        return answer

    def unfit_successor(self, row: Row, token: StoredToken) -> Any:
        return super().unfit_successor(row, replace(token, family_id=row.token.family_id))


class GraceBeginsAtBirth(RemoteTokenStore):
    """Its grace counts from when the token was stored."""

    def in_grace(self, row: Row) -> bool:
        return (self.clock.now() - row.token.created_at).total_seconds() < 10.0


class GraceBeginsAnew(RemoteTokenStore):
    """Each repeat begins the grace anew."""

    def repeated(self, row: Row, successor: StoredToken) -> Answer:
        row.rotated_at = self.clock.monotonic()
        return super().repeated(row, successor)


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
    Fault.of(ReturnsAFuture, "token-01"),
    Fault.of(KeepsWhenItWasStored, "token-02"),
    Fault.of(RaisesForTheUnknown, "token-03"),
    Fault.of(Revives, "token-04", "token-40"),
    Fault.of(Overwrites, "token-04", "token-40", "token-45"),
    Fault.of(HidesThatItWasRevoked, "token-05", "token-40"),
    Fault.of(SaysTrueTwice, "token-05", "token-40", "token-42"),
    Fault.of(TakesBlanks, "token-06"),
    Fault.of(RaisesForBlanks, "token-06"),
    Fault.of(NeverForgets, "token-07", "token-40"),
    Fault.of(KeepsJtisTaken, "token-07", "token-40"),
    Fault.of(CountsWhatIsOver, "token-07", "token-40"),
    Fault.of(TakesWhatIsOver, "token-08"),
    Fault.of(TakesTimesWithoutZone, "token-08"),
    Fault.of(RevokesFamiliesThatBeginSo, "token-09"),
    Fault.of(CountsAllOfAFamily, "token-09", "token-40"),
    Fault.of(LosesItsUserIndex, "token-10"),
    Fault.of(RevokesEverybody, "token-10", "token-40"),
    Fault.of(BarsTheUser, "token-10", "token-40"),
    Fault.of(FoldsCase, "token-11", "token-40"),
    Fault.of(Trims, "token-11"),
    Fault.of(CutsOff, "token-11"),
    Fault.of(ClearsTooMuch, "token-12", "token-40"),
    Fault.of(ClearsAndCountsAgain, "token-12"),
    Fault.of(StoresRevokedOnesAsValid, "token-13"),
    Fault.of(LeavesTheOldOneValid, "token-20", "token-40"),
    Fault.of(KnowsNoGrace, "token-21", "token-43"),
    Fault.of(TakesWhatARepeatBrings, "token-21", "token-43"),
    Fault.of(EndlessGrace, "token-22"),
    Fault.of(RefusesReuseAndNoMore, "token-22"),
    Fault.of(ReuseRevokesTheUser, "token-22"),
    Fault.of(RotatesTheRevoked, "token-23", "token-40"),
    Fault.of(RevivesByRepeating, "token-24"),
    Fault.of(OverwritesBySuccessors, "token-25", "token-40"),
    Fault.of(TakesSuccessorsOfOthers, "token-25"),
    Fault.of(EndsTheFamily, "token-20", "token-26"),
    Fault.of(GraceBeginsAtBirth, "token-27"),
    Fault.of(GraceBeginsAnew, "token-27"),
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
