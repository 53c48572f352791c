"""What happens when calls meet each other, or are interrupted."""

from typing import Any

from hypothesis import strategies as st

from infra_conformance.linearize import linearize
from infra_conformance.machine import Machine
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check, modelled, swept
from infra_conformance.token_base import Store, TokenChecks
from infra_conformance.token_model import JTIS, TokenMachine, token_step
from infra_conformance.trial import Broken, expect, expect_one_of
from infra_protocols.auth import StoredToken, TokenStoreProtocol
from infra_result import Ok, Result

CROWD = 50
"""How many rotate one token at once."""


class TokenConcurrencyChecks[T: StoredToken](TokenChecks[T]):
    """
    The checks of concurrent and interrupted calls.

    Type parameters:
        T: the tokens.
    """

    @modelled("token-40", validates="8.1 8.5")
    def test_model(self) -> type[Machine[TokenStoreProtocol[T]]]:
        """Any sequence of calls, and of time passing, gives the answers that a dict of tokens gives."""
        return TokenMachine

    @check("token-41", validates="8.5")
    async def test_linearizable(self, trial: Store[T]) -> None:
        """Concurrent calls answer as if each happened at one moment between its start and its end."""
        store = trial.subject
        names = st.sampled_from(["store", "is_valid", "revoke", "rotate", "revoke_family", "rotate"])
        jtis: st.SearchStrategy[str] = st.sampled_from(list(JTIS[:3]))
        step = st.tuples(names, jtis, jtis)
        parts: list[list[tuple[str, str, str]]] = trial.draw(
            st.lists(st.lists(step, min_size=1, max_size=4), min_size=2, max_size=4)
        )

        async def part(steps: list[tuple[str, str, str]]) -> None:
            for name, jti, then in steps:
                match name:
                    case "store":
                        await store.store(self.fresh(trial, jti))
                    case "rotate":
                        await store.rotate(jti, self.fresh(trial, then))
                    case "revoke_family":
                        await store.revoke_family("f")
                    case _:
                        await getattr(store, name)(jti)

        if trial.draw(st.booleans()):
            await store.store(self.fresh(trial, JTIS[0]))
        await trial.together(**{name: part(steps) for name, steps in zip("ABCD", parts, strict=False)})
        for jti in JTIS[:3]:
            await store.is_valid(jti)  # what is left must be explained too
        if linearize(trial.history.calls, (), token_step) is None:
            raise Broken(ConformanceMessages.NO_ORDER)

    @check("token-42", validates="8.5")
    async def test_one_revoker(self, trial: Store[T]) -> None:
        """Of several who revoke one token at once, exactly one is told True."""
        await self.kept(trial, "jti")
        said = await trial.together(**{name: trial.subject.revoke("jti") for name in "ABCD"})
        expect("answers of four", sorted(said), [False, False, False, True])

    @check("token-43", validates="8.5")
    async def test_one_successor(self, trial: Store[T]) -> None:
        """Of fifty who rotate one token at once, each with a successor of its own, all get the same one."""
        await self.kept(trial, "old")
        names = [f"new {number}" for number in range(CROWD)]
        answers: list[Result[T, Any]] = await trial.together(
            **{f"c{at}": trial.subject.rotate("old", self.fresh(trial, name)) for at, name in enumerate(names)}
        )
        got = {answer.value.jti if isinstance(answer, Ok) else repr(answer) for answer in answers}
        expect("successors that were told", len(got), 1)
        expect("successors that are valid", await self.valid(trial, names), sorted(got))

    @check("token-44", validates="8.5")
    async def test_a_rotation_does_not_escape(self, trial: Store[T]) -> None:
        """A rotation that meets a revocation of the family, or of all the user has, leaves nothing valid."""
        store, how = trial.subject, trial.draw(st.sampled_from(["family", "user"]))
        names = [f"{number}" for number in range(8)]
        for name in names:
            await self.kept(trial, name)

        async def rotate() -> None:
            for name in names:
                await store.rotate(name, self.fresh(trial, f"new {name}"))

        async def revoke() -> None:
            await (store.revoke_family("f") if how == "family" else store.revoke_all_for_user("ada"))

        clients: dict[str, Any] = {"A": rotate(), "B": revoke()}
        if trial.draw(st.booleans()):
            clients = dict(reversed(clients.items()))
        await trial.together(**clients)
        expect("valid", await self.valid(trial, [*names, *(f"new {name}" for name in names)]), [])

    @check("token-45", validates="8.1")
    async def test_one_storer(self, trial: Store[T]) -> None:
        """Of several who store one jti at once, exactly one is told Ok."""
        users = ("ada", "bob", "eve")
        answers = await trial.together(
            **{user: trial.subject.store(self.fresh(trial, "jti", user, user)) for user in users}
        )
        winners = [user for user, answer in zip(users, answers, strict=True) if answer.is_ok()]
        expect("how many were told Ok", len(winners), 1)
        found = await trial.subject.get("jti")
        expect("whose it is", found and found.user_id, winners[0])
        for user in users:
            expect(f"revoke_all_for_user of {user}", await trial.subject.revoke_all_for_user(user), winners.count(user))

    @swept("token-50", validates="8.1")
    async def test_interrupted_store(self, trial: Store[T]) -> None:
        """A store that is interrupted happened wholly or not at all, not later either, and the store goes on."""
        store = trial.subject
        outcome = await trial.interrupt(store.store(self.fresh(trial, "jti")))
        there = await store.is_valid("jti")
        if outcome.finished:
            expect("is_valid", there, True)
        await trial.elapse(self.tick)
        expect("is_valid some time afterwards", await store.is_valid("jti"), there)
        expect("get finds it", await store.get("jti") is not None, there)
        expect("revoke_all_for_user", await store.revoke_all_for_user("ada"), int(there))
        await self.kept(trial, "other")

    @swept("token-51", validates="8.5")
    async def test_interrupted_revoke(self, trial: Store[T]) -> None:
        """A revoke that is interrupted happened wholly or not at all, not later either, and nothing else changes."""
        store = trial.subject
        await self.kept(trial, "jti")
        await self.kept(trial, "other")
        outcome = await trial.interrupt(store.revoke("jti"))
        there = await store.is_valid("jti")
        if outcome.finished:
            expect("is_valid", there, False)
        await trial.elapse(self.tick)
        expect("is_valid some time afterwards", await store.is_valid("jti"), there)
        expect("revoke afterwards", await store.revoke("jti"), there)
        expect("is_valid of another", await store.is_valid("other"), True)

    @swept("token-52", validates="8.5")
    async def test_interrupted_rotate(self, trial: Store[T]) -> None:
        """A rotate that is interrupted happened wholly or not at all; whoever repeats it has one good token."""
        store = trial.subject
        await self.kept(trial, "old")
        outcome = await trial.interrupt(store.rotate("old", self.fresh(trial, "new")))
        valid = await self.valid(trial, ["old", "new"])
        expect_one_of("valid", valid, [["new"]] if outcome.finished else [["old"], ["new"]])
        await trial.elapse(self.tick)
        expect("valid some time afterwards", await self.valid(trial, ["old", "new"]), valid)
        again = await store.rotate("old", self.fresh(trial, "newer"))
        if isinstance(again, Ok):
            expect("the successor of a repeat", again.value.jti, "newer" if valid == ["old"] else "new")
            expect("valid in the end", await self.valid(trial, ["old", "new", "newer"]), [again.value.jti])
        else:
            raise Broken(ConformanceMessages.EXPECTED.format(what="rotate again", want="Ok(...)", got=repr(again)))

    @swept("token-53", validates="8.5")
    async def test_interrupted_revoke_family(self, trial: Store[T]) -> None:
        """A revoke_family that is interrupted revoked all or none, and does no more later."""
        store, names = trial.subject, ["a", "b", "c"]
        for name in names:
            await self.kept(trial, name)
        await self.kept(trial, "other", family="another")
        outcome = await trial.interrupt(store.revoke_family("f"))
        valid = await self.valid(trial, names)
        expect_one_of("valid", valid, [[]] if outcome.finished else [[], names])
        await trial.elapse(self.tick)
        expect("valid some time afterwards", await self.valid(trial, names), valid)
        expect("is_valid of another", await store.is_valid("other"), True)
        expect("revoke_family afterwards", await store.revoke_family("f"), len(valid))

    @swept("token-54", validates="8.5")
    async def test_interrupted_look(self, trial: Store[T]) -> None:
        """An is_valid that is interrupted changes nothing, and is never answered with what is not so."""
        store = trial.subject
        await self.kept(trial, "good")
        await self.kept(trial, "bad")
        await store.revoke("bad")
        outcome = await trial.interrupt(store.is_valid("bad"))
        if outcome.finished:
            expect("is_valid of a revoked token", outcome.value, False)
        expect("valid afterwards", await self.valid(trial, ["good", "bad"]), ["good"])
