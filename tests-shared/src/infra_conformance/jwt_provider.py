"""The suite of `JWTAlgorithmProvider`: what every provider of tokens promises, and what none may accept."""

import math
from abc import abstractmethod
from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.jwt_attacks import attacks
from infra_conformance.jwt_forger import Forger
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check
from infra_conformance.suite import Suite
from infra_conformance.trial import Broken, Trial, expect
from infra_protocols.auth import JWTAlgorithmProvider
from infra_protocols.errors import (
    AlgorithmMismatchError,
    AuthenticationError,
    InfrastructureError,
    SignatureInvalidError,
    TokenExpiredError,
    TokenIssuedInFutureError,
    TokenMalformedError,
    TokenNotYetValidError,
    ValidationError,
)
from infra_result import Err, Ok, Result

BAD_TIMES: Final[tuple[Any, ...]] = (0, 0.5, -1, math.nan, math.inf, -math.inf, True, "60")
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class JWTProviderSuite[T](Suite[JWTAlgorithmProvider[T]]):
    """
    Checks a `JWTAlgorithmProvider`.

    The subject is made anew each time, with the same key, an issuer and an audience. `forger` hands out that key, so
    that the suite can sign what the provider itself would not: only so is it the fault of a token, and not its
    signature, for which it is refused.

    Type parameters:
        T: the payload.

    >>> from contextlib import asynccontextmanager
    >>> class TestMyProvider(JWTProviderSuite[dict[str, str]]):
    ...     @asynccontextmanager
    ...     async def make(self, clock):
    ...         yield MyProvider(KEY, issuer="me", audience="you", clock=clock)
    ...     def payloads(self):
    ...         return st.fixed_dictionaries({"sub": st.text()})
    ...     def forger(self, now):
    ...         return Forger("HS256", KEY.sign, {"sub": "ada", "iss": "me", "aud": "you", "exp": int(now) + 60})
    """

    @abstractmethod
    def payloads(self) -> st.SearchStrategy[T]:
        """Return a strategy of payloads; it must know a few different ones."""

    @abstractmethod
    def forger(self, now: float) -> Forger:
        """Return the means to sign with the subject's key; the claims are good at `now`, in seconds since 1970."""

    def wrong_payloads(self) -> list[Any]:
        """Return values that are no payloads."""
        return [None, 7, "ada", object(), [("sub", "ada")]]

    def forge(self, trial: Trial[JWTAlgorithmProvider[T]]) -> Forger:
        """Return the forger of this moment."""
        return self.forger(trial.now().timestamp())

    @check("jwt-01", validates="7.2 7.4")
    async def test_it_is_a_provider(self, trial: Trial[JWTAlgorithmProvider[T]]) -> None:
        """It has the methods of a JWTAlgorithmProvider, and names the algorithm that it signs by."""
        expect("isinstance(subject, JWTAlgorithmProvider)", isinstance(trial.raw, JWTAlgorithmProvider), True)
        expect("algorithm", trial.raw.algorithm, self.forge(trial).algorithm)

    @check("jwt-02", validates="7.1")
    async def test_verify_gives_back_what_was_signed(self, trial: Trial[JWTAlgorithmProvider[T]]) -> None:
        """What was signed is what verify returns, equal and of the same type; two payloads are told apart."""
        provider, payload = trial.subject, trial.draw(self.payloads())
        other = trial.draw(self.payloads())
        token, second = _signed(provider, payload), _signed(provider, other)
        expect("verify", provider.verify(token), Ok(payload))
        expect("verify of another", provider.verify(second), Ok(other))
        expect("verify again", provider.verify(token), Ok(payload))

    @check("jwt-03", validates="7.2")
    async def test_it_ends(self, trial: Trial[JWTAlgorithmProvider[T]]) -> None:
        """A token is good for the seconds that sign was told, up to one less, and then it is expired."""
        provider, payload = trial.subject, trial.draw(self.payloads())
        seconds = trial.draw(st.sampled_from([2, 2.5, 60, 86400]))
        token = _signed(provider, payload, expires_in=seconds)
        await trial.elapse(seconds - 1.001)
        expect("verify before the end", provider.verify(token), Ok(payload))
        await trial.elapse(1.001)
        _refused("verify at the end", provider.verify(token), TokenExpiredError)

    @check("jwt-04", validates="7.2")
    async def test_it_takes_what_the_key_has_signed(self, trial: Trial[JWTAlgorithmProvider[T]]) -> None:
        """A good token that somebody else has signed with the key is accepted, whatever else it claims."""
        provider, forger = trial.subject, self.forge(trial)
        for token in (
            forger.token(),
            forger.claiming(unheard_of={"x": [1.5, None]}),
            forger.claiming(aud=["another", forger.claims["aud"]]),
            forger.claiming(exp=forger.claims["exp"] + 0.25),
        ):
            expect("verify of a good token", provider.verify(token).is_ok(), True)

    @check("jwt-05", validates="7.3")
    async def test_sign_refuses_other_types(self, trial: Trial[JWTAlgorithmProvider[T]]) -> None:
        """A payload that is not of the type is not signed: sign returns a ValidationError."""
        for wrong in self.wrong_payloads():
            _refused(f"sign({wrong!r})", trial.subject.sign(wrong), ValidationError)

    @check("jwt-06", validates="7.2")
    async def test_bad_times(self, trial: Trial[JWTAlgorithmProvider[T]]) -> None:
        """A time that is less than a second, endless, or no number, is a ValidationError of sign."""
        bad, payload = trial.draw(st.sampled_from(BAD_TIMES)), trial.draw(self.payloads())
        _refused(f"sign with expires_in={bad!r}", trial.subject.sign(payload, expires_in=bad), ValidationError)

    @check("jwt-07", validates="7.2")
    async def test_changed_tokens(self, trial: Trial[JWTAlgorithmProvider[T]]) -> None:
        """A token in which any one character is another, or is missing, is refused."""
        token = _signed(trial.subject, trial.draw(self.payloads()))
        at = trial.draw(st.integers(0, len(token) - 1))
        put = trial.draw(st.sampled_from(["", *LETTERS, ".", "="]))
        changed = token[:at] + put + token[at + 1 :]
        if changed != token:
            _refused("verify of a changed token", trial.subject.verify(changed), AuthenticationError)

    @check("jwt-08", validates="7.2")
    async def test_any_text(self, trial: Trial[JWTAlgorithmProvider[T]]) -> None:
        """No text whatever makes verify raise, and none that was not signed is accepted."""
        part = st.text(LETTERS) | st.text() | st.sampled_from(self.forge(trial).token().split("."))
        text = trial.draw(st.text() | st.lists(part, max_size=5).map(".".join))
        if text != self.forge(trial).token():
            _refused("verify", trial.subject.verify(text), AuthenticationError)

    @check("jwt-09", validates="7.2")
    async def test_each_refusal_has_its_error(self, trial: Trial[JWTAlgorithmProvider[T]]) -> None:
        """The error says by its class what is wrong."""
        forger = self.forge(trial)
        end: float = forger.claims["exp"]
        other = "RS256" if forger.algorithm == "HS256" else "HS256"
        for what, token, error in (
            ("another algorithm", forger.headed(alg=other), AlgorithmMismatchError),
            ("no algorithm", forger.token(header={**forger.header, "alg": "none"}), AlgorithmMismatchError),
            ("a wrong signature", forger.token(sign=lambda data: forger.sign(data + b"x")), SignatureInvalidError),
            ("an end in the past", forger.claiming(exp=1), TokenExpiredError),
            ("a beginning to come", forger.claiming(nbf=end + 1e6), TokenNotYetValidError),
            ("an issue to come", forger.claiming(iat=end + 1e6), TokenIssuedInFutureError),
            ("two parts", "a.b", TokenMalformedError),
            ("a payload that is no object", forger.token(b"[]"), TokenMalformedError),
        ):
            _refused(f"verify of a token with {what}", trial.subject.verify(token), error)

    @check("jwt-10", validates="7.2")
    async def test_attacks(self, trial: Trial[JWTAlgorithmProvider[T]]) -> None:
        """Of the attacks in `infra_conformance.jwt_attacks`, none is accepted, and none makes verify raise."""
        forger = self.forge(trial)
        for name, make in attacks(forger):
            token: Any = make(forger)
            try:
                answer = trial.raw.verify(token)
            except Exception as error:
                raise Broken(ConformanceMessages.ATTACK_RAISED.format(name=name, kind=type(error).__name__)) from error
            _refused(f"verify of a token with {name}", answer, AuthenticationError)

    @check("jwt-11", validates="7.2")
    async def test_errors_keep_secrets(self, trial: Trial[JWTAlgorithmProvider[T]]) -> None:
        """No error tells any part of the token, and what it says is not printed."""
        forger = self.forge(trial)
        word = "c0nf1dent1al"
        for token in (
            forger.claiming(sub=word, exp=1),
            forger.claiming(iss=word),
            forger.claiming(exp=word),
            forger.headed(alg=word),
            forger.headed(kid=7, x=word),
            forger.token(f'{{"{word}": NaN}}'.encode()),
            forger.token(f'{{"{word}": 1, "{word}": 2}}'.encode()),
        ):
            answer = trial.raw.verify(token)
            error = _refused("verify", answer, AuthenticationError)
            told = f"{error} {error!r} {error.to_dict()} {error.__cause__}"
            expect("a part of the token in its error", [word for part in (word, *token.split(".")) if part in told], [])


def _signed[T](provider: JWTAlgorithmProvider[T], payload: T, expires_in: float | None = None) -> str:
    result = provider.sign(payload, expires_in=expires_in)
    if isinstance(result, Err):
        raise Broken(ConformanceMessages.EXPECTED.format(what="sign", want="Ok(...)", got=repr(result)))
    expect("the type of the token", type(result.value), str)
    return result.value


def _refused[E: InfrastructureError](what: str, answer: Result[Any, Any], error: type[E]) -> E:
    if isinstance(answer, Err) and isinstance(answer.error, error):
        return answer.error
    raise Broken(ConformanceMessages.EXPECTED.format(what=what, want=f"Err({error.__name__})", got=repr(answer)))
