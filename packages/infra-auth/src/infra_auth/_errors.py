"""How the errors of tokens are made: each says what was being done, and none says what the token says."""

from infra_auth.messages import AuthMessages
from infra_protocols import AuthenticationError, TokenMalformedError, ValidationError

VERIFY = "jwt.verify"


def malformed(reason: str) -> TokenMalformedError:
    return TokenMalformedError(AuthMessages.AUTH_TOKEN_MALFORMED.format(reason=reason), operation=VERIFY)


def told[E: AuthenticationError](kind: type[E], message: str) -> E:
    return kind(message, operation=VERIFY)


def unfit_key(algorithm: str, reason: str, field: str, kind: str) -> ValidationError:
    message = AuthMessages.KEY_UNFIT.format(algorithm=algorithm, reason=reason)
    return ValidationError(message, field=field, kind=kind)
