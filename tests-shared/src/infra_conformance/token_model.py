"""The models of token stores: one in time for sequences of calls, one without time for concurrent calls."""

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from infra_conformance.history import Call, Ending
from infra_conformance.machine import Machine, rule
from infra_conformance.trial import Trial, expect
from infra_protocols.auth import TokenStoreProtocol
from infra_result import Err, Ok

JTIS = ("a", "b", "c", "A")
LONG = 1000.0
"""Longer than any run takes, in ticks."""
USERS = ("ada", "bob")


@dataclass(frozen=True, slots=True)
class Known:
    """What the model knows of a token."""

    user: str
    family: str
    ends: float
    state: str = "valid"


class TokenMachine(Machine[TokenStoreProtocol[Any]]):
    """Random steps against a dict of what is known, in time. Repeats of a rotation are left to checks of their own."""

    def opened(self) -> None:
        """Draw up the model."""
        self.known: dict[str, Known] = {}

    def live(self, jti: str) -> Known | None:
        """Return what is known of a token whose time is not over."""
        known = self.known.get(jti)
        return known if known is not None and self.began < known.ends else None

    def unsure(self) -> bool:
        """Say whether the time of some token was over during the last call, or may have been."""
        slack = self.suite.slack
        return any(self.began - slack <= known.ends <= self.ended + slack for known in self.known.values())

    def glance(self) -> None:
        """Look at every token."""

        async def look(trial: Trial[TokenStoreProtocol[Any]]) -> list[tuple[str, bool, Any]]:
            return [(jti, await trial.subject.is_valid(jti), await trial.subject.get(jti)) for jti in JTIS]

        found = self.do(look)
        if self.unsure():
            return
        for jti, valid, token in found:
            known = self.live(jti)
            expect(f"is_valid of {jti!r}", valid, known is not None and known.state == "valid")
            expect(f"get of {jti!r} finds", token is not None, known is not None)
            if token is not None and known is not None:
                expect(f"revoked of {jti!r}", token.revoked, known.state != "valid")
                expect(f"user of {jti!r}", token.user_id, known.user)

    @rule(jti=st.sampled_from(JTIS), user=st.sampled_from(USERS), ticks=st.sampled_from([2.0, 5.0, LONG]))
    def store(self, jti: str, user: str, ticks: float) -> None:
        """Store a token."""

        async def store(trial: Trial[TokenStoreProtocol[Any]]) -> Any:
            return await trial.subject.store(self.suite.fresh(trial, jti, user, f"of {user}", ticks=ticks))

        answer = self.do(store)
        known = self.live(jti)
        if known is None or not self.unsure():
            expect("store says Ok", answer.is_ok(), known is None)
        if answer.is_ok():
            self.known[jti] = Known(user, f"of {user}", self.began + ticks * self.suite.tick)

    @rule(jti=st.sampled_from(JTIS))
    def revoke(self, jti: str) -> None:
        """Revoke a token."""
        answer = self.do(lambda trial: trial.subject.revoke(jti))
        known = self.live(jti)
        if not self.unsure():
            expect("revoke", answer, known is not None and known.state == "valid")
        if known is not None and known.state == "valid":
            self.known[jti] = replace(known, state="revoked")

    @rule(user=st.sampled_from(USERS), family=st.booleans())
    def revoke_many(self, user: str, family: bool) -> None:
        """Revoke all tokens of a user, or of the family."""
        if family:
            answer = self.do(lambda trial: trial.subject.revoke_family(f"of {user}"))
        else:
            answer = self.do(lambda trial: trial.subject.revoke_all_for_user(user))
        names = [jti for jti in self.known if (known := self.live(jti)) and known.user == user]
        if not self.unsure():
            expect("how many were valid", answer, sum(self.known[jti].state == "valid" for jti in names))
        for jti in names:
            self.known[jti] = replace(self.known[jti], state="revoked")

    @rule(jti=st.sampled_from(JTIS), then=st.sampled_from(JTIS))
    def rotate(self, jti: str, then: str) -> None:
        """Rotate a token that is not rotated yet."""
        old = self.known.get(jti)
        if old is None or old.state == "rotated":
            return

        async def rotate(trial: Trial[TokenStoreProtocol[Any]]) -> Any:
            return await trial.subject.rotate(jti, self.suite.fresh(trial, then, old.user, old.family, ticks=LONG))

        answer = self.do(rotate)
        known = self.live(jti)
        good = known is not None and known.state == "valid" and self.live(then) is None
        if not self.unsure():
            expect("rotate says Ok", answer.is_ok(), good)
        if answer.is_ok():
            self.known[jti] = replace(old, state="rotated")
            self.known[then] = Known(old.user, old.family, self.began + LONG * self.suite.tick)

    @rule()
    def cleanup(self) -> None:
        """Clear away what is over."""
        self.do(lambda trial: trial.subject.cleanup_expired())

    @rule(ticks=st.sampled_from([0.5, 1.0, 3.0]))
    def elapse(self, ticks: float) -> None:
        """Let some time pass."""
        self.do(lambda trial: trial.elapse(ticks * self.suite.tick))


type State = tuple[tuple[str, str], ...]
"""The tokens of one family, by jti, each with its state; or with its successor, behind `>`."""


def token_step(state: State, call: Call) -> tuple[bool, State]:
    """
    The model of one family for concurrent calls, within the grace.

    >>> token_step((("a", "valid"),), Call("A", "revoke", ("a",), {}, 1, Ending.RETURNED, value=True, ended=2))
    (True, (('a', 'revoked'),))
    """
    known = dict(state)
    silent = call.ending is not Ending.RETURNED
    if call.ending is Ending.RAISED:
        return True, state
    jti: str = call.args[0].jti if call.name == "store" else call.args[0]
    there = known.get(jti)
    answer: object
    match call.name:
        case "store":
            answer = there is None
            if there is None:
                known[jti] = "valid"
            fits = isinstance(call.value, Ok) == answer
        case "is_valid":
            fits = call.value == (there == "valid")
        case "revoke":
            fits = call.value == (there == "valid")
            if there == "valid":
                known[jti] = "revoked"
        case "revoke_family":
            fits = call.value == sum(each == "valid" for each in known.values())
            known = dict.fromkeys(known, "revoked")
        case _:
            fits, known = _rotated(known, jti, call)
    return silent or fits, tuple(sorted(known.items()))


def _rotated(known: dict[str, str], jti: str, call: Call) -> tuple[bool, dict[str, str]]:
    successor: str = call.args[1].jti
    there = known.get(jti)
    got: str | None = None
    if there == "valid" and successor not in known:
        got = successor
        known = {**known, jti: f">{successor}", successor: "valid"}
    elif there is not None and there.startswith(">") and known.get(there[1:], "revoked") != "revoked":
        got = there[1:]
    if got is None:
        return isinstance(call.value, Err), known
    token: Any = getattr(call.value, "value", None)
    return token is not None and token.jti == got, known
