"""Token stores that are wrong about rotation."""

from dataclasses import replace
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_tokens import Answer, RemoteTokenStore, Row
from infra_protocols.auth import StoredToken
from infra_protocols.errors import TokenExistsError
from infra_result import Ok


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


FAULTS: Final = [
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
]
