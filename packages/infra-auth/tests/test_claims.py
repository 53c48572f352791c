"""The claims: which must be there, what they must be, and what is put in."""

from dataclasses import dataclass
from math import inf, nan
from typing import Any, NotRequired, TypedDict

import msgspec
import pydantic
import pytest

from infra_auth import HS256Provider, JWTKeyConfig
from infra_auth.msgspec import MsgspecPayload
from infra_auth.pydantic import PydanticPayload
from infra_protocols import ValidationError
from infra_result import Ok

KEY = JWTKeyConfig(secret=b"0123456789abcdef0123456789abcdef")


def provider(clock: Any, type: Any = dict[str, Any], **options: Any) -> Any:
    return HS256Provider(KEY, type, clock=clock, **options)


def code(result: Any) -> str:
    return result.unwrap_err().error_code


def test_what_is_configured_is_put_in_and_asked_for(clock: Any) -> None:
    plain = provider(clock)
    full = provider(clock, issuer="me", audience=["a", "b"], required=["jti", "nbf", "sub"], lifetime=60)
    claims = full.sign({"sub": "ada"}).flat_map(full.verify).unwrap()
    now = int(clock.now().timestamp())
    assert claims.pop("jti")
    assert claims == {"sub": "ada", "iss": "me", "aud": ["a", "b"], "iat": now, "nbf": now, "exp": now + 60}
    for missing, error in ({}, "CLAIM_MISSING"), ({"sub": "ada", "iss": "you"}, "ISSUER_MISMATCH"):
        assert code(full.verify(plain.sign(missing).unwrap())) == "CLAIM_MISSING"
        assert code(full.sign(missing)) == error


def test_each_party_has_an_error_of_its_own(clock: Any) -> None:
    plain = provider(clock)
    token = plain.sign({"iss": "me", "sub": "ada"}).unwrap()
    assert provider(clock, issuer="me", subject="ada").verify(token).is_ok()
    assert code(provider(clock, issuer="you").verify(token)) == "ISSUER_MISMATCH"
    assert code(provider(clock, subject="bob").verify(token)) == "SUBJECT_MISMATCH"
    assert code(provider(clock, audience="api").verify(token)) == "CLAIM_MISSING"
    assert code(provider(clock, required=["jti"]).verify(token)) == "CLAIM_MISSING"


def test_an_audience_that_nobody_expects_is_refused(clock: Any) -> None:
    token = provider(clock, audience="api").sign({"sub": "ada"}).unwrap()
    assert code(provider(clock).verify(token)) == "AUDIENCE_MISMATCH"
    assert code(provider(clock).sign({"aud": "api"})) == "AUDIENCE_MISMATCH"


def test_leeway_is_for_clocks_that_differ(clock: Any) -> None:
    strict, lenient = provider(clock), provider(clock, leeway=5)
    token = strict.sign({"sub": "ada"}, expires_in=10).unwrap()
    clock.turn(-4)
    assert code(strict.verify(token)) == "TOKEN_ISSUED_IN_FUTURE"
    assert lenient.verify(token).is_ok()
    clock.turn(4 + 14)
    assert code(strict.verify(token)) == "TOKEN_EXPIRED"
    assert lenient.verify(token).is_ok()
    clock.turn(1)
    assert code(lenient.verify(token)) == "TOKEN_EXPIRED"


def test_a_token_may_be_for_ever_if_that_is_said(clock: Any) -> None:
    endless = provider(clock, require_exp=False, lifetime=inf)
    token = endless.sign({"sub": "ada"}).unwrap()
    clock.turn(10**9)
    assert "exp" not in endless.verify(token).unwrap()
    assert code(provider(clock).verify(token)) == "CLAIM_MISSING"
    with pytest.raises(ValidationError, match="lifetime"):
        provider(clock, lifetime=inf)


def test_the_type_of_a_token_is_compared_as_a_media_type(clock: Any) -> None:
    token = provider(clock, token_type="application/AT+jwt").sign({"sub": "ada"}).unwrap()
    assert provider(clock, token_type="at+JWT").verify(token).is_ok()
    assert code(provider(clock, token_type="jwt").verify(token)) == "TOKEN_TYPE_MISMATCH"


@pytest.mark.parametrize(
    "options",
    [
        {"issuer": " "},
        {"audience": [""]},
        {"subject": ""},
        {"token_type": "\n"},
        {"leeway": -1},
        {"leeway": nan},
        {"lifetime": 0},
        {"max_size": 0},
        {"required": "jti"},
        {"required": [" "]},
        {"type": int},
        {"type": list[int]},
    ],
)
def test_bad_options_are_refused(clock: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        provider(clock, **options)


def test_what_sign_makes_verify_takes(clock: Any) -> None:
    small = provider(clock, max_size=300)
    assert code(small.sign({"sub": "a" * 300})) == "TOKEN_TOO_LARGE"
    for bad in ({"x": nan}, {"x": "\ud800"}, {"exp": "soon"}, {"nbf": 10**12}, {"exp": 1}, {"sub": 7}, {"x": 1j}):
        assert small.sign(bad).is_err(), bad


def test_an_explicit_time_comes_before_that_of_the_payload(clock: Any) -> None:
    plain = provider(clock)
    now = int(clock.now().timestamp())
    assert plain.sign({"exp": now + 5}).flat_map(plain.verify).unwrap()["exp"] == now + 5
    assert plain.sign({"exp": now + 5}, expires_in=7).flat_map(plain.verify).unwrap()["exp"] == now + 7


@dataclass(frozen=True)
class Access:
    sub: str
    jti: str | None = None
    exp: int | None = None


def test_registered_claims_that_a_payload_declares_are_those_of_the_token(clock: Any) -> None:
    typed = provider(clock, Access, required=["jti"])
    payload = typed.sign(Access("ada"), expires_in=60).flat_map(typed.verify).unwrap()
    assert (payload.sub, payload.exp) == ("ada", int(clock.now().timestamp()) + 60)
    assert payload.jti
    assert typed.sign(Access("ada", jti="mine")).flat_map(typed.verify).unwrap().jti == "mine"


class Claims(TypedDict):
    sub: str
    admin: NotRequired[bool]


class Struct(msgspec.Struct, frozen=True):
    sub: str
    roles: list[str] = []


class Model(pydantic.BaseModel):
    sub: str
    roles: list[str] = []


@pytest.mark.parametrize(
    ("options", "good", "bad"),
    [
        ({"type": Claims}, {"sub": "ada", "admin": True}, {"sub": 7}),
        ({"type": Struct, "codec": MsgspecPayload}, Struct("ada", ["admin"]), Struct(7)),  # pyright: ignore[reportArgumentType]
        ({"type": Model, "codec": PydanticPayload}, Model(sub="ada", roles=["admin"]), Model.model_construct(sub=7)),
        ({"type": Struct, "codec": MsgspecPayload}, Struct("ada"), Model(sub="ada")),
        ({"type": Model, "codec": PydanticPayload}, Model(sub="ada"), Struct("ada")),
    ],
)
def test_payloads_of_each_kind(clock: Any, options: dict[str, Any], good: Any, bad: Any) -> None:
    typed = provider(clock, **options)
    assert typed.sign(good).flat_map(typed.verify) == Ok(good)
    assert isinstance(typed.sign(bad).unwrap_err(), ValidationError)
    foreign = provider(clock).sign({"sub": "ada", "roles": 7, "admin": "yes"}).unwrap()
    refused = typed.verify(foreign).unwrap_err()
    assert refused.error_code == "PAYLOAD_INVALID"
    assert "yes" not in f"{refused}{refused.__cause__}"


@pytest.mark.parametrize("codec", [MsgspecPayload, PydanticPayload])
def test_a_codec_refuses_a_type_that_it_does_not_know(codec: Any) -> None:
    with pytest.raises(ValidationError):
        codec(Access)
