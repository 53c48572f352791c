"""Who may do what."""

from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra_auth import AuthorizationContext, Effect, Policy, PolicyBasedAuthorizer
from infra_protocols import ForbiddenError, ValidationError


class Action(Enum):
    READ = "read"
    WRITE = "write"


def asks(subject: str = "ada", resource: str = "doc", action: Action = Action.READ, *roles: str) -> Any:
    return AuthorizationContext(subject=subject, resource=resource, action=action, roles=frozenset(roles))


def policy(name: str, effect: Effect, applies: bool) -> Policy[str, Action]:
    return Policy(name, effect, lambda _: applies)


# What decides is the set of policies that apply: denying ones first, then allowing ones, then nothing.
@given(st.lists(st.tuples(st.sampled_from(Effect), st.booleans()), max_size=6))
def test_a_denial_overrides_and_what_nobody_allows_is_denied(rules: list[tuple[Effect, bool]]) -> None:
    policies = [policy(f"p{at}", *rule) for at, rule in enumerate(rules)]
    decision = PolicyBasedAuthorizer(policies).decide(asks())
    denying = tuple(f"p{at}" for at, rule in enumerate(rules) if rule == (Effect.DENY, True))
    allowing = tuple(f"p{at}" for at, rule in enumerate(rules) if rule == (Effect.ALLOW, True))
    assert decision.allowed == (not denying and bool(allowing))
    assert decision.reasons == (denying or allowing)
    assert PolicyBasedAuthorizer(policies[::-1]).decide(asks()).allowed == decision.allowed


def test_a_refusal_tells_who_what_and_why() -> None:
    authorizer = PolicyBasedAuthorizer[str, Action](
        [
            Policy("owners write", Effect.ALLOW, lambda context: "owner" in context.roles),
            Policy("frozen", Effect.DENY, lambda context: context.resource == "old"),
        ]
    )
    assert authorizer.authorize(asks("ada", "doc", Action.WRITE, "owner")).is_ok()
    refused = authorizer.authorize(asks("ada", "old", Action.WRITE, "owner")).unwrap_err()
    assert isinstance(refused, ForbiddenError)
    assert isinstance(refused, PermissionError)
    assert str(refused) == "Access forbidden: frozen [operation='authorize', subject='ada', action='write']"
    assert "no policy allows it" in str(authorizer.authorize(asks()).unwrap_err())


def test_what_a_policy_raises_reaches_the_caller() -> None:
    def broken(_: AuthorizationContext[str, Action]) -> bool:
        raise LookupError

    authorizer = PolicyBasedAuthorizer([policy("all", Effect.ALLOW, True), Policy("broken", Effect.DENY, broken)])
    with pytest.raises(LookupError):
        authorizer.authorize(asks())


def test_names_are_not_blank_and_not_twice() -> None:
    with pytest.raises(ValidationError, match="subject"):
        asks(" ")
    with pytest.raises(ValidationError, match="name"):
        policy(" ", Effect.ALLOW, True)
    with pytest.raises(ValidationError, match="different names"):
        PolicyBasedAuthorizer([policy("a", Effect.ALLOW, True), policy("a", Effect.DENY, True)])
