"""The gallery of providers of tokens: one provider for each way to be wrong."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_jwt import SECRET, Login, PlainProvider
from infra_conformance.jwt_forger import base64url
from infra_protocols.errors import AuthenticationError, TokenExpiredError, TokenMalformedError
from infra_result import Ok, Result


class NamesAnotherAlgorithm(PlainProvider):
    """It signs by another algorithm than it says."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.algorithm = "RS256"


class ForgetsWhom(PlainProvider):
    """Its payloads come back in lower case."""

    def payload(self, claims: dict[str, Any]) -> Login:
        return Login(super().payload(claims).sub.lower())


class RemembersTheFirst(PlainProvider):
    """It remembers by the header whom it has verified."""

    def verified(self, token: str) -> Login:
        self.seen: dict[str, Login] = getattr(self, "seen", {})
        return self.seen.setdefault(token.partition(".")[0], super().verified(token))


class IgnoresTheEnd(PlainProvider):
    """A token has no end for it."""

    def check_times(self, claims: dict[str, Any]) -> None:
        try:
            super().check_times(claims)
        except TokenExpiredError:
            return


class EndsTooLate(PlainProvider):
    """It takes an end for the last second that is good."""

    def check_times(self, claims: dict[str, Any]) -> None:
        super().check_times({**claims, "exp": self.number(claims.get("exp")) + 1})


class RefusesWhatItDoesNotKnow(PlainProvider):
    """A token with more claims than it knows is none for it."""

    def verified(self, token: str) -> Login:
        login = super().verified(token)
        if len(self.parsed(self.decoded(token.split(".")[1]))) > 4:
            raise TokenMalformedError("more claims")
        return login


class SignsAnything(PlainProvider):
    """What is no payload is signed as its text."""

    def claims(self, payload: Any) -> dict[str, Any]:
        return super().claims(payload if isinstance(payload, Login) else Login(str(payload)))


class TakesAnyTime(PlainProvider):
    """A time may be negative or endless."""

    def lasting(self, expires_in: Any) -> Any:
        return Ok(expires_in if isinstance(expires_in, float | int) and abs(expires_in) < 1e9 else 900)


class ComparesTheBeginning(PlainProvider):
    """Of a signature it compares as much as there is."""

    def check_signature(self, header: dict[str, Any], signed: bytes, signature: bytes) -> None:
        if not signature or not self.mac(signed).startswith(signature):
            super().check_signature(header, signed, signature)


class IgnoresTheSignature(PlainProvider):
    """It decodes, and does not verify."""

    def check_signature(self, header: dict[str, Any], signed: bytes, signature: bytes) -> None:
        return


class RaisesForGarbage(PlainProvider):
    """What is not in base 64 makes it raise."""

    def decoded(self, part: str) -> bytes:
        return super().decoded(part) if part.isascii() and "=" not in part else urlsafe_b64decode(part)

    def parts(self, token: str) -> tuple[str, str, str]:
        head, payload, signature = token.split(".")
        return head, payload, signature


class HasOneErrorForAll(PlainProvider):
    """Whatever is wrong, it says only that something is."""

    def verify(self, token: str) -> Result[Login, AuthenticationError]:
        return super().verify(token).map_err(lambda _: AuthenticationError("no"))


class BelievesNone(PlainProvider):
    """A token that says it is not signed need not be."""

    def check_header(self, header: dict[str, Any]) -> None:
        if header.get("alg") != "none":
            super().check_header(header)

    def check_signature(self, header: dict[str, Any], signed: bytes, signature: bytes) -> None:
        if header.get("alg") != "none":
            super().check_signature(header, signed, signature)


class BelievesTheHeader(PlainProvider):
    """Any algorithm will do that the header names, and that it knows."""

    def check_header(self, header: dict[str, Any]) -> None:
        super().check_header({**header, "alg": self.algorithm} if str(header.get("alg")).startswith("HS") else header)

    def check_signature(self, header: dict[str, Any], signed: bytes, signature: bytes) -> None:
        hash = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}.get(header["alg"], hashlib.sha256)
        if not hmac.compare_digest(hmac.new(SECRET, signed, hash).digest(), signature):
            super().check_signature(header, signed, signature)


class FoldsTheAlgorithm(PlainProvider):
    """Upper and lower case of an algorithm are one for it."""

    def check_header(self, header: dict[str, Any]) -> None:
        super().check_header({**header, "alg": str(header.get("alg")).upper()})


class BringsItsKey(PlainProvider):
    """A token may bring the key by which it is verified."""

    def check_signature(self, header: dict[str, Any], signed: bytes, signature: bytes) -> None:
        jwk: Any = header.get("jwk")
        if isinstance(jwk, dict) and "k" in jwk:
            secret = urlsafe_b64decode(str(jwk["k"]) + "==")  # pyright: ignore[reportUnknownArgumentType]
            if hmac.compare_digest(hmac.digest(secret, signed, "sha256"), signature):
                return
        super().check_signature(header, signed, signature)


class IgnoresCrit(PlainProvider):
    """What must be understood is passed over."""

    def check_header(self, header: dict[str, Any]) -> None:
        super().check_header({name: value for name, value in header.items() if name != "crit"})


class TakesAnySpelling(PlainProvider):
    """It decodes base 64 as generously as Python does."""

    def decoded(self, part: str) -> bytes:
        try:
            return urlsafe_b64decode(part + "=" * (-len(part) % 4))
        except ValueError:
            raise TokenMalformedError("not in base 64") from None


class TakesTheLastOfTwo(PlainProvider):
    """Of two of one name it takes the last; and NaN, and whatever else Python takes for JSON."""

    def parsed(self, data: bytes) -> dict[str, Any]:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            raise TokenMalformedError("no JSON") from None
        if not isinstance(found, dict):
            raise TokenMalformedError("no object")
        return dict(found)  # pyright: ignore[reportUnknownArgumentType]


class TakesTextForNumbers(PlainProvider):
    """A number may be written as text."""

    def number(self, value: object) -> float:
        return super().number(float(value) if isinstance(value, str) and value.isdigit() else value)


class TakesTruthForNumbers(PlainProvider):
    """True is a number for it, as it is for Python."""

    def number(self, value: object) -> float:
        return super().number(10**12 if value is True else value)


class NeedsNoEnd(PlainProvider):
    """A token without an end is good for ever."""

    def check_times(self, claims: dict[str, Any]) -> None:
        super().check_times({"exp": 10**12, **claims})


class IgnoresTheBeginning(PlainProvider):
    """It does not look at nbf."""

    def check_times(self, claims: dict[str, Any]) -> None:
        super().check_times({**claims, "nbf": 0})


class IgnoresTheIssue(PlainProvider):
    """It does not look at iat."""

    def check_times(self, claims: dict[str, Any]) -> None:
        super().check_times({**claims, "iat": 0})


class IgnoresTheIssuer(PlainProvider):
    """It does not look at iss."""

    def check_issuer(self, claims: dict[str, Any]) -> None:
        return


class IgnoresTheAudience(PlainProvider):
    """It does not look at aud."""

    def check_audience(self, claims: dict[str, Any]) -> None:
        return


class TakesAudiencesThatBeginSo(PlainProvider):
    """It looks whether its name is in the audience, as a part of the text too."""

    def check_audience(self, claims: dict[str, Any]) -> None:
        given: Any = claims.get("aud")
        super().check_audience({**claims, "aud": "api"} if isinstance(given, str) and "api" in given else claims)


class TakesAnyKid(PlainProvider):
    """A kid may be anything."""

    def check_header(self, header: dict[str, Any]) -> None:
        super().check_header({**header, "kid": "kid"})


class TellsWhatItRefuses(PlainProvider):
    """Its errors tell the claims that it refuses."""

    def check_times(self, claims: dict[str, Any]) -> None:
        try:
            super().check_times(claims)
        except AuthenticationError as error:
            raise type(error)(f"refused: {base64url(repr(claims).encode())} {claims}") from None


FAULTS: Final = [
    Fault.of(NamesAnotherAlgorithm, "jwt-01"),
    Fault.of(ForgetsWhom, "jwt-02"),
    Fault.of(RemembersTheFirst, "jwt-02"),
    Fault.of(IgnoresTheEnd, "jwt-03", "jwt-09", "jwt-10"),
    Fault.of(EndsTooLate, "jwt-03"),
    Fault.of(RefusesWhatItDoesNotKnow, "jwt-04"),
    Fault.of(SignsAnything, "jwt-05"),
    Fault.of(TakesAnyTime, "jwt-06"),
    Fault.of(ComparesTheBeginning, "jwt-10"),
    Fault.of(IgnoresTheSignature, "jwt-07", "jwt-09", "jwt-10"),
    Fault.of(RaisesForGarbage, "jwt-08", "jwt-10"),
    Fault.of(HasOneErrorForAll, "jwt-03", "jwt-09"),
    Fault.of(BelievesNone, "jwt-09", "jwt-10"),
    Fault.of(BelievesTheHeader, "jwt-10"),
    Fault.of(FoldsTheAlgorithm, "jwt-10"),
    Fault.of(BringsItsKey, "jwt-10"),
    Fault.of(IgnoresCrit, "jwt-10"),
    Fault.of(TakesAnySpelling, "jwt-10"),
    Fault.of(TakesTheLastOfTwo, "jwt-10"),
    Fault.of(TakesTextForNumbers, "jwt-10"),
    Fault.of(TakesTruthForNumbers, "jwt-10"),
    Fault.of(NeedsNoEnd, "jwt-10"),
    Fault.of(IgnoresTheBeginning, "jwt-09", "jwt-10"),
    Fault.of(IgnoresTheIssue, "jwt-09", "jwt-10"),
    Fault.of(IgnoresTheIssuer, "jwt-10"),
    Fault.of(IgnoresTheAudience, "jwt-10"),
    Fault.of(TakesAudiencesThatBeginSo, "jwt-10"),
    Fault.of(TakesAnyKid, "jwt-10"),
    Fault.of(TellsWhatItRefuses, "jwt-11"),
]
