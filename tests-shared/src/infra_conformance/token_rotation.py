"""How tokens are rotated, one call at a time."""

from hypothesis import strategies as st

from infra_conformance.proof import check
from infra_conformance.token_base import Store, TokenChecks, refused_with
from infra_conformance.trial import expect
from infra_protocols.auth import StoredToken
from infra_protocols.errors import (
    TokenExistsError,
    TokenExpiredError,
    TokenReusedError,
    TokenRevokedError,
    ValidationError,
)
from infra_result import Ok


class TokenRotationChecks[T: StoredToken](TokenChecks[T]):
    """
    The checks of rotation.

    Type parameters:
        T: the tokens.
    """

    @check("token-20", validates="8.5")
    async def test_rotate(self, trial: Store[T]) -> None:
        """The successor is valid, and the token that it comes after is not any more."""
        store, (jti, then) = trial.subject, trial.draw(self.some_ids(2))
        await self.kept(trial, jti)
        successor = self.fresh(trial, then)
        expect("rotate", await store.rotate(jti, successor), Ok(successor))
        expect("valid", await self.valid(trial, [jti, then]), [then])
        expect("get of the successor", await store.get(then), successor)
        old = await store.get(jti)
        expect("revoked of the old one", old and old.revoked, True)
        expect("revoke of the old one", await store.revoke(jti), False)
        expect("revoke_family", await store.revoke_family("f"), 1)

    @check("token-21", validates="8.5")
    async def test_a_repeat_gets_the_same(self, trial: Store[T]) -> None:
        """Within the grace, a repeat gets the successor that there is, whatever successor it brings."""
        store = trial.subject
        await self.kept(trial, "old")
        successor = self.fresh(trial, "new")
        await store.rotate("old", successor)
        await trial.elapse(0.5 * self.reuse_grace)
        for again in ("new", "newer"):
            expect("rotate again", await store.rotate("old", self.fresh(trial, again)), Ok(successor))
        expect("valid", await self.valid(trial, ["old", "new", "newer"]), ["new"])
        expect("get of the one that was not taken", await store.get("newer"), None)

    @check("token-22", validates="8.5")
    async def test_reuse_revokes_the_family(self, trial: Store[T]) -> None:
        """After the grace, a repeat is refused as reuse and revokes all of the family, and nothing else."""
        store = trial.subject
        await self.kept(trial, "old")
        await self.kept(trial, "sibling")
        await self.kept(trial, "other", family="another")
        await store.rotate("old", self.fresh(trial, "new"))
        await trial.elapse(self.reuse_grace + self.slack)
        expect("valid before", await self.valid(trial, ["new", "sibling"]), ["new", "sibling"])
        refused_with("rotate again", await store.rotate("old", self.fresh(trial, "newer")), TokenReusedError)
        names = ["old", "new", "newer", "sibling", "other"]
        expect("valid afterwards", await self.valid(trial, names), ["other"])
        refused_with("rotate of the successor", await store.rotate("new", self.fresh(trial, "x")), TokenRevokedError)
        refused_with("rotate once more", await store.rotate("old", self.fresh(trial, "x")), TokenRevokedError)

    @check("token-23", validates="8.5")
    async def test_a_revoked_token_has_no_successor(self, trial: Store[T]) -> None:
        """A token that was revoked, by itself or with others, is not rotated."""
        store, how = trial.subject, trial.draw(st.sampled_from(["token", "family", "user"]))
        await self.kept(trial, "old")
        match how:
            case "token":
                await store.revoke("old")
            case "family":
                await store.revoke_family("f")
            case _:
                await store.revoke_all_for_user("ada")
        refused_with("rotate", await store.rotate("old", self.fresh(trial, "new")), TokenRevokedError)
        expect("get of the successor", await store.get("new"), None)

    @check("token-24", validates="8.5")
    async def test_a_repeat_does_not_revive(self, trial: Store[T]) -> None:
        """A repeat within the grace, after the successor was revoked, is refused, and nothing becomes valid."""
        store, how = trial.subject, trial.draw(st.sampled_from(["token", "family", "user"]))
        await self.kept(trial, "old")
        await store.rotate("old", self.fresh(trial, "new"))
        match how:
            case "token":
                await store.revoke("new")
            case "family":
                await store.revoke_family("f")
            case _:
                await store.revoke_all_for_user("ada")
        refused_with("rotate again", await store.rotate("old", self.fresh(trial, "newer")), TokenRevokedError)
        expect("valid", await self.valid(trial, ["old", "new", "newer"]), [])

    @check("token-25", validates="8.5")
    async def test_a_successor_that_cannot_be_stored(self, trial: Store[T]) -> None:
        """A successor whose jti is known, whose time is over, or that is not of the family, changes nothing."""
        store = trial.subject
        await self.kept(trial, "old")
        await self.kept(trial, "known", family="another")
        for successor, error in (
            (self.fresh(trial, "known"), TokenExistsError),
            (self.fresh(trial, "old"), TokenExistsError),
            (self.fresh(trial, "new", ticks=-1), TokenExpiredError),
            (self.fresh(trial, "new", user="eve"), ValidationError),
            (self.fresh(trial, "new", family="another"), ValidationError),
            (self.fresh(trial, "new", revoked=True), ValidationError),
        ):
            refused_with("rotate", await store.rotate("old", successor), error)
            expect("valid", await self.valid(trial, ["old", "new", "known"]), ["old", "known"])
        good = self.fresh(trial, "new")
        expect("rotate to a good one", await store.rotate("old", good), Ok(good))

    @check("token-26", validates="8.5")
    async def test_a_chain(self, trial: Store[T]) -> None:
        """Of a chain of rotations the last is valid; the whole chain is one family."""
        store, length = trial.subject, trial.draw(st.integers(2, 5))
        await self.kept(trial, "0")
        names = [str(number) for number in range(length + 1)]
        for number in range(length):
            successor = self.fresh(trial, names[number + 1])
            expect("rotate", await store.rotate(names[number], successor), Ok(successor))
        expect("valid", await self.valid(trial, names), names[-1:])
        await trial.elapse(self.reuse_grace + self.slack)
        refused_with("rotate of the first", await store.rotate("0", self.fresh(trial, "x")), TokenReusedError)
        expect("valid afterwards", await self.valid(trial, names), [])

    @check("token-27", validates="8.5")
    async def test_the_grace_is_from_the_rotation(self, trial: Store[T]) -> None:
        """The grace counts from the first rotation, at whatever time that is, and repeats do not prolong it."""
        store = trial.subject
        await self.kept(trial, "old")
        await trial.elapse(2 * self.reuse_grace)
        successor = self.fresh(trial, "new")
        expect("rotate late", await store.rotate("old", successor), Ok(successor))
        for _ in range(2):
            await trial.elapse(0.4 * self.reuse_grace)
            expect("rotate again", await store.rotate("old", self.fresh(trial, "x")), Ok(successor))
        await trial.elapse(0.4 * self.reuse_grace + self.slack)
        refused_with("rotate too late", await store.rotate("old", self.fresh(trial, "x")), TokenReusedError)
