"""Who may do what: policies, and the authorizer that asks them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

from infra_auth.messages import AuthMessages
from infra_protocols import ForbiddenError, ValidationError, or_raise, require_text
from infra_result import Err, Ok, Result

_NO_ATTRIBUTES: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)  # no slots: with them, Python 3.12 cannot make an AuthorizationContext[X, Y](...)
class AuthorizationContext[TResource, TAction]:
    """
    Who wants to do what to what.

    Type parameters:
        TResource: what it is done to.
        TAction: what is done; an enum, mostly.

    Raises:
        ValidationError: `subject` is blank.

    >>> AuthorizationContext(subject="ada", resource="invoice:7", action="read").roles
    frozenset()
    """

    subject: str
    """Who: `sub` of a token, mostly."""
    resource: TResource
    action: TAction
    roles: frozenset[str] = frozenset()
    attributes: Mapping[str, Any] = field(default_factory=lambda: _NO_ATTRIBUTES)
    """What else policies look at: the tenant, the address, the time."""

    def __post_init__(self) -> None:
        """Refuse a blank subject."""
        or_raise(require_text(self.subject, "subject"))


class Effect(str, Enum):
    """
    What a policy says where it applies.

    >>> Effect.DENY.value
    'deny'
    """

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True)
class Policy[TResource, TAction]:
    """
    One rule: an effect, and when it applies.

    Type parameters:
        TResource: what something is done to.
        TAction: what is done.

    Raises:
        ValidationError: `name` is blank.

    >>> reads = Policy[str, str]("everybody reads", Effect.ALLOW, lambda context: context.action == "read")
    >>> reads.applies(AuthorizationContext(subject="ada", resource="invoice:7", action="read"))
    True
    """

    name: str
    """What it is called in a decision."""
    effect: Effect
    applies: Callable[[AuthorizationContext[TResource, TAction]], bool]
    """Says whether it applies; quick, since it is called for every decision."""

    def __post_init__(self) -> None:
        """Refuse a blank name."""
        or_raise(require_text(self.name, "name"))


@dataclass(frozen=True, slots=True)
class AuthorizationDecision:
    """
    Whether something is allowed, and why.

    >>> AuthorizationDecision(True, ("everybody reads",)).allowed
    True
    """

    allowed: bool
    reasons: tuple[str, ...]
    """The names of the policies that decided; none where nothing applied."""


class PolicyBasedAuthorizer[TResource, TAction]:
    """
    Allows what some policy allows and none denies; what no policy speaks of is denied.

    Every policy is asked, also when one has denied. What one raises reaches the caller, and nothing is allowed by then.

    Args:
        policies: the rules, in any order; no two of one name.

    Type parameters:
        TResource: what something is done to.
        TAction: what is done.

    Raises:
        ValidationError: two policies have one name.

    >>> authorizer = PolicyBasedAuthorizer[str, str]([
    ...     Policy("everybody reads", Effect.ALLOW, lambda context: context.action == "read"),
    ...     Policy("secrets are secret", Effect.DENY, lambda context: context.resource.startswith("secret")),
    ... ])
    >>> authorizer.decide(AuthorizationContext(subject="ada", resource="invoice:7", action="read"))
    AuthorizationDecision(allowed=True, reasons=('everybody reads',))
    >>> context = AuthorizationContext(subject="ada", resource="secret:1", action="read")
    >>> print(authorizer.authorize(context).unwrap_err())
    Access forbidden: secrets are secret [operation='authorize', subject='ada', action='read']
    """

    def __init__(self, policies: Iterable[Policy[TResource, TAction]]) -> None:
        self._policies: tuple[Policy[TResource, TAction], ...] = tuple(policies)
        if len({policy.name for policy in self._policies}) < len(self._policies):
            message = AuthMessages.VALIDATION_WRONG_KIND.format(
                field="policies", expected="policies of different names"
            )
            raise ValidationError(message, field="policies", kind="tuple")

    def decide(self, context: AuthorizationContext[TResource, TAction]) -> AuthorizationDecision:
        """Return whether `context` is allowed, and by which policies; every one is asked."""
        applying = [policy for policy in self._policies if policy.applies(context)]
        denying = tuple(policy.name for policy in applying if policy.effect is not Effect.ALLOW)
        if denying:
            return AuthorizationDecision(False, denying)
        return AuthorizationDecision(bool(applying), tuple(policy.name for policy in applying))

    def authorize(
        self, context: AuthorizationContext[TResource, TAction]
    ) -> Result[AuthorizationDecision, ForbiddenError]:
        """Return the decision if it allows, else an `Err` with a `ForbiddenError` that names what denied."""
        decision = self.decide(context)
        if decision.allowed:
            return Ok(decision)
        reason = ", ".join(decision.reasons) or "no policy allows it"
        return Err(
            ForbiddenError(
                AuthMessages.FORBIDDEN_BECAUSE.format(reason=reason),
                operation="authorize",
                parameters={"subject": context.subject, "action": context.action},
            )
        )
