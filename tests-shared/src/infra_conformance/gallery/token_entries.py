"""Token stores that are wrong about what they keep, and what they revoke."""

import asyncio
from dataclasses import replace
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_tokens import Answer, RemoteTokenStore, Row
from infra_protocols.auth import StoredToken
from infra_protocols.errors import ValidationError
from infra_result import Err


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
]
