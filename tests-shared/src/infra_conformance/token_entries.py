"""What is stored, found, revoked and forgotten, one call at a time."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.proof import check
from infra_conformance.token_base import BLANK, Store, TokenChecks, refused_with
from infra_conformance.trial import expect, refused
from infra_protocols.auth import StoredToken, TokenStoreProtocol
from infra_protocols.errors import TokenExistsError, TokenExpiredError, TokenNotFoundError, ValidationError
from infra_result import Ok

METHODS: Final[dict[str, list[str]]] = {
    "store": ["token"],
    "get": ["jti"],
    "is_valid": ["jti"],
    "revoke": ["jti"],
    "revoke_family": ["family_id"],
    "revoke_all_for_user": ["user_id"],
    "rotate": ["jti", "successor"],
    "cleanup_expired": [],
}
NO_IDS: Final[tuple[Any, ...]] = (None, 7, b"jti", ["jti"])


class TokenEntryChecks[T: StoredToken](TokenChecks[T]):
    """
    The checks of a token store as a store.

    Type parameters:
        T: the tokens.
    """

    @check("token-01", validates="8.1 8.4")
    async def test_it_is_a_token_store(self, trial: Store[T]) -> None:
        """It has the methods of a TokenStoreProtocol, and they are coroutine functions with its parameter names."""
        expect("isinstance(subject, TokenStoreProtocol)", isinstance(trial.raw, TokenStoreProtocol), True)
        for name, wanted in METHODS.items():
            method = getattr(trial.raw, name)
            expect(f"{name} is a coroutine function", inspect.iscoroutinefunction(method), True)
            expect(f"parameters of {name}", list(inspect.signature(method).parameters), wanted)

    @check("token-02", validates="8.1")
    async def test_store_then_get(self, trial: Store[T]) -> None:
        """A token that was stored is what get returns, equal and of the same type, and it is valid."""
        jti, user, family = trial.draw(self.some_ids(3))
        token = await self.kept(trial, jti, user, family)
        expect("get", await trial.subject.get(jti), token)
        expect("is_valid", await trial.subject.is_valid(jti), True)

    @check("token-03", validates="8.1")
    async def test_unknown(self, trial: Store[T]) -> None:
        """What was never stored is not there, for any method."""
        store, jti = trial.subject, trial.draw(self.some_ids(1))[0]
        expect("get", await store.get(jti), None)
        expect("is_valid", await store.is_valid(jti), False)
        expect("revoke", await store.revoke(jti), False)
        expect("revoke_family", await store.revoke_family(jti), 0)
        expect("revoke_all_for_user", await store.revoke_all_for_user(jti), 0)
        expect("cleanup_expired", await store.cleanup_expired(), 0)
        refused_with("rotate", await store.rotate(jti, self.fresh(trial, "next")), TokenNotFoundError)
        expect("get of the successor", await store.get("next"), None)

    @check("token-04", validates="8.5")
    async def test_a_known_jti(self, trial: Store[T]) -> None:
        """A jti that is known cannot be stored again, and nothing changes: a revoked token is not revived."""
        store, revoked = trial.subject, trial.draw(st.booleans())
        token = await self.kept(trial, "jti")
        if revoked:
            await store.revoke("jti")
        for again in (token, self.fresh(trial, "jti", "eve", "other", ticks=2000)):
            refused_with("store of a known jti", await store.store(again), TokenExistsError)
        expect("is_valid", await store.is_valid("jti"), not revoked)
        found = await store.get("jti")
        expect("user_id", found and found.user_id, "ada")
        expect("revoke_all_for_user of another", await store.revoke_all_for_user("eve"), 0)

    @check("token-05", validates="8.5")
    async def test_revoke(self, trial: Store[T]) -> None:
        """Revoke says True once; from then on the token is revoked in every answer, and others are not."""
        store, (jti, other) = trial.subject, trial.draw(self.some_ids(2))
        await self.kept(trial, jti)
        await self.kept(trial, other)
        expect("revoke", await store.revoke(jti), True)
        expect("revoke again", await store.revoke(jti), False)
        expect("is_valid", await store.is_valid(jti), False)
        found, rest = await store.get(jti), await store.get(other)
        expect("revoked", found and found.revoked, True)
        expect("is_valid of another", await store.is_valid(other), True)
        expect("revoked of another", rest and rest.revoked, False)

    @check("token-06", validates="8.3")
    async def test_blank_identifiers(self, trial: Store[T]) -> None:
        """An identifier that is blank, or no text, is a ValidationError of every method, and nothing is stored."""
        store = trial.subject
        bad: Any = trial.draw(st.text(BLANK, max_size=5) | st.sampled_from(NO_IDS))
        for field in ("jti", "user", "family"):
            ids = {"jti": "jti", "user": "ada", "family": "f", field: bad}
            token = self.fresh(trial, ids["jti"], ids["user"], ids["family"])
            refused_with(f"store with {field}={bad!r}", await store.store(token), ValidationError)
        calls: tuple[Callable[[Any], Awaitable[object]], ...] = (
            store.get,
            store.is_valid,
            store.revoke,
            store.revoke_family,
            store.revoke_all_for_user,
        )
        for call in calls:
            await refused(f"a call with {bad!r}", call(bad), ValidationError)
        refused_with("rotate", await store.rotate(bad, self.fresh(trial, "next")), ValidationError)
        await self.kept(trial, "jti")
        refused_with("rotate to a bad one", await store.rotate("jti", self.fresh(trial, bad)), ValidationError)
        expect("is_valid after all that", await store.is_valid("jti"), True)

    @check("token-07", validates="8.1")
    async def test_the_end(self, trial: Store[T]) -> None:
        """A token is there until its time is over, and then for no method; its jti may be used again."""
        store = trial.subject
        for jti in ("get", "is_valid", "revoke", "rotate"):
            await self.kept(trial, jti, ticks=5)
        end = trial.now()
        await trial.elapse(5 * self.tick - self.slack - (trial.now() - end).total_seconds())
        found, valid = await store.get("get"), await store.is_valid("is_valid")
        if (trial.now() - end).total_seconds() < 5 * self.tick:  # else a slow machine is late
            expect("get before the end", found is not None, True)
            expect("is_valid before the end", valid, True)
        await trial.elapse(2 * self.slack)
        # One each: whoever looks first may be the one that clears away.
        expect("get after the end", await store.get("get"), None)
        expect("is_valid after the end", await store.is_valid("is_valid"), False)
        expect("revoke after the end", await store.revoke("revoke"), False)
        answer = await store.rotate("rotate", self.fresh(trial, "next"))
        refused_with("rotate after the end", answer, TokenNotFoundError)
        expect("revoke_family after the end", await store.revoke_family("f"), 0)
        expect("revoke_all_for_user after the end", await store.revoke_all_for_user("ada"), 0)
        again = await self.kept(trial, "get", "bob", "g")
        expect("get of what was stored again", await store.get("get"), again)
        expect("revoke_all_for_user of who had it before", await store.revoke_all_for_user("ada"), 0)
        expect("revoke_family of where it was before", await store.revoke_family("f"), 0)

    @check("token-08", validates="8.1")
    async def test_what_is_over_is_not_stored(self, trial: Store[T]) -> None:
        """A token whose time is over, or has no zone, is refused."""
        store = trial.subject
        for ticks in (0, -1, -(10**6)):
            answer = await store.store(self.fresh(trial, "jti", ticks=ticks))
            refused_with("store of a token that is over", answer, TokenExpiredError)
        naive: Any = (datetime(2999, 1, 1), 7, None)
        for moment in naive:
            good = self.fresh(trial, "jti")
            token = self.token(
                jti="jti", user_id="ada", family_id="f", created_at=good.created_at, expires_at=moment, revoked=False
            )
            refused_with("store of a token without a time", await store.store(token), ValidationError)
        expect("get", await store.get("jti"), None)

    @check("token-09", validates="8.5")
    async def test_revoke_family(self, trial: Store[T]) -> None:
        """All tokens of the family are revoked, and those of no other; the answer is how many were valid."""
        store, (mine, other) = trial.subject, trial.draw(self.some_ids(2))
        for number in range(3):
            await self.kept(trial, f"mine {number}", family=mine)
            await self.kept(trial, f"other {number}", family=other)
        await store.revoke("mine 0")
        expect("revoke_family", await store.revoke_family(mine), 2)
        expect("revoke_family again", await store.revoke_family(mine), 0)
        names = [f"{whose} {number}" for whose in ("mine", "other") for number in range(3)]
        expect("valid afterwards", await self.valid(trial, names), names[3:])

    @check("token-10", validates="8.5")
    async def test_revoke_all_for_user(self, trial: Store[T]) -> None:
        """All tokens of the user are revoked, in all families, and nobody else's; the answer is how many were valid."""
        store, (mine, other) = trial.subject, trial.draw(self.some_ids(2))
        for number in range(3):
            await self.kept(trial, f"mine {number}", mine, f"family {number % 2}")
            await self.kept(trial, f"other {number}", other, f"other family {number % 2}")
        expect("revoke_all_for_user", await store.revoke_all_for_user(mine), 3)
        expect("revoke_all_for_user again", await store.revoke_all_for_user(mine), 0)
        names = [f"{whose} {number}" for whose in ("mine", "other") for number in range(3)]
        expect("valid afterwards", await self.valid(trial, names), names[3:])
        later = await self.kept(trial, "later", mine)
        expect("a token that was stored later", await store.get("later"), later)

    @check("token-11", validates="8.1")
    async def test_tokens_are_apart(self, trial: Store[T]) -> None:
        """What is done to one token does nothing to another, however much their identifiers look alike."""
        store = trial.subject
        jtis = trial.draw(st.sampled_from([2, 5, 8]).flatmap(self.some_ids))
        for jti in jtis:
            expect("get of a token that is not stored yet", await store.get(jti), None)
            await self.kept(trial, jti, family=jti)
        await store.revoke(jtis[0])
        expect("valid", await self.valid(trial, jtis), jtis[1:])

    @check("token-12", validates="8.1")
    async def test_cleanup(self, trial: Store[T]) -> None:
        """cleanup_expired clears away what is over, each once, and nothing else."""
        store = trial.subject
        for number in range(3):
            await self.kept(trial, f"short {number}", ticks=5)
        token = await self.kept(trial, "long")
        await trial.elapse(5 * self.tick + self.slack)
        cleared = await store.cleanup_expired()
        expect("cleanup_expired, of three at most", 0 <= cleared <= 3, True)
        expect("cleanup_expired again", await store.cleanup_expired(), 0)
        expect("get of one that is not over", await store.get("long"), token)
        expect("revoke_all_for_user", await store.revoke_all_for_user("ada"), 1)

    @check("token-13", validates="8.2")
    async def test_stored_as_revoked(self, trial: Store[T]) -> None:
        """A token can be stored as one that is revoked: its jti is taken, and it is not valid."""
        token = self.fresh(trial, "jti", revoked=True)
        expect("store", await trial.subject.store(token), Ok(token))
        expect("is_valid", await trial.subject.is_valid("jti"), False)
        expect("get", await trial.subject.get("jti"), token)
