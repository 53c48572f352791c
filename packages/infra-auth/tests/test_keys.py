"""What a key may be, how keys are rotated, and that nothing tells them."""

import json
import traceback
from base64 import b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from infra_auth import EdDSAProvider, ES256Provider, HS256Provider, JWTKeyConfig, KeySet, RS256Provider
from infra_auth._base64url import decode, encode
from infra_protocols import KeyUnknownError, ValidationError

RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
SECRET = b"0123456789abcdef0123456789abcdef"


def private_pem(key: Any) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public(key: Any, encoding: Encoding = Encoding.PEM) -> bytes:
    form = PublicFormat.OpenSSH if encoding is Encoding.OpenSSH else PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form)


def of(provider: Any, **key: Any) -> Any:
    return provider(JWTKeyConfig(**key), dict[str, Any])


def der_that_ends_in_white_space() -> bytes:
    while not (der := public(ec.generate_private_key(ec.SECP256R1()), Encoding.DER))[-1:].isspace():
        pass
    return der


TEXTS_OF_KEYS = {
    "public PEM": public(RSA),
    "private PEM": private_pem(RSA),
    "PEM behind blanks": b"\n  " + public(P256),
    "PEM of PKCS 1": RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
    "public DER": public(RSA, Encoding.DER),
    "private DER": RSA.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    "DER of EC": public(P256, Encoding.DER),
    "DER that ends in white space": der_that_ends_in_white_space(),
    "DER in base 64": b64encode(public(RSA, Encoding.DER)),
    "DER in base 64, in lines": b"\n".join(
        [b64encode(public(P256, Encoding.DER))[at : at + 64] for at in range(0, 200, 64)]
    ),
    "SSH": public(RSA, Encoding.OpenSSH),
    "SSH of EC": public(P256, Encoding.OpenSSH),
    "SSH of Ed25519": public(ed25519.Ed25519PrivateKey.generate(), Encoding.OpenSSH),
    "JWK": json.dumps({"kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}).encode(),
    "JWK Set": json.dumps({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}).encode(),
    "JWK behind a byte order mark": b"\xef\xbb\xbf" + json.dumps({"kty": "EC", "crv": "P-256", "x": "x" * 43}).encode(),
}


@pytest.mark.parametrize("name", TEXTS_OF_KEYS)
def test_the_text_of_a_key_is_no_secret(name: str) -> None:
    text = TEXTS_OF_KEYS[name]
    with pytest.raises(ValidationError, match="the text of a key"):
        of(HS256Provider, secret=text)
    if name not in ("public DER", "private DER", "DER of EC", "DER that ends in white space"):
        with pytest.raises(ValidationError, match="the text of a key"):
            of(HS256Provider, secret=text.decode())


@pytest.mark.parametrize("secret", [b"", b"secret", SECRET[:31], "s" * 31, "\u00e9" * 15])
def test_a_short_secret_is_refused(secret: Any) -> None:
    with pytest.raises(ValidationError, match="fewer than 32 bytes"):
        of(HS256Provider, secret=secret)


@given(st.binary(min_size=32, max_size=64))
def test_random_bytes_are_a_secret(secret: bytes) -> None:
    provider = of(HS256Provider, secret=secret)
    assert provider.sign({"sub": "ada"}).flat_map(provider.verify).is_ok()


@pytest.mark.parametrize(
    ("provider", "key", "reason"),
    [
        (RS256Provider, {"private_key": private_pem(rsa.generate_private_key(65537, 1024))}, "2048 bits"),
        (RS256Provider, {"private_key": private_pem(P256)}, "no RSA key"),
        (ES256Provider, {"public_key": public(RSA)}, "elliptic curve"),
        (ES256Provider, {"private_key": private_pem(ec.generate_private_key(ec.SECP384R1()))}, "P-256"),
        (ES256Provider, {"private_key": private_pem(ec.generate_private_key(ec.SECP256K1()))}, "P-256"),
        (EdDSAProvider, {"private_key": private_pem(ed448.Ed448PrivateKey.generate())}, "Ed25519"),
        (RS256Provider, {"secret": SECRET}, "key pair"),
        (HS256Provider, {"private_key": private_pem(RSA)}, "secret"),
        (RS256Provider, {"private_key": public(RSA)}, "Invalid key format"),
        (RS256Provider, {"public_key": private_pem(RSA)}, "Invalid key format"),
        (RS256Provider, {"private_key": "-----BEGIN"}, "Invalid key format"),
    ],
)
def test_a_key_that_is_not_fit_is_refused(provider: Any, key: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        of(provider, **key)


@pytest.mark.parametrize(
    "key", [{}, {"secret": SECRET, "public_key": b"x"}, {"secret": 7}, {"secret": SECRET, "kid": " "}]
)
def test_a_config_holds_one_key(key: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        JWTKeyConfig(**key)


def test_nothing_tells_a_secret() -> None:
    config = JWTKeyConfig(secret=SECRET, kid="k")
    provider = HS256Provider(config, dict[str, Any])
    told = [repr(config), str(config), repr(provider), repr(provider.keys), f"{vars(provider).keys()}"]
    for bad in ({"secret": SECRET[:20]}, {"private_key": SECRET}, {"secret": SECRET, "private_key": SECRET}):
        try:
            of(HS256Provider, **bad)
        except ValidationError as error:
            told += [str(error), repr(error), str(error.to_dict()), "".join(traceback.format_exception(error))]
    assert not [text for text in told if SECRET[:20].decode() in text]
    assert len(told) > 5


def test_keys_are_rotated_with_overlap() -> None:
    old, new = JWTKeyConfig(secret=b"o" * 32, kid="old"), JWTKeyConfig(secret=b"n" * 32, kid="new")
    provider = HS256Provider(old, dict[str, Any])
    before = provider.sign({"sub": "ada"}).unwrap()
    provider.keys.rotate(new)
    after = provider.sign({"sub": "ada"}).unwrap()
    assert HS256Provider(new, dict[str, Any]).verify(after).is_ok()
    assert provider.verify(before).is_ok()
    assert provider.verify(after).is_ok()
    with pytest.raises(ValidationError, match="cannot be retired"):
        provider.keys.retire("new")
    assert provider.keys.retire("old")
    assert not provider.keys.retire("old")
    assert isinstance(provider.verify(before).unwrap_err(), KeyUnknownError)
    assert provider.verify(after).is_ok()


def test_several_keys_need_names() -> None:
    nameless, named = JWTKeyConfig(secret=b"o" * 32), JWTKeyConfig(secret=b"n" * 32, kid="new")
    for configs in ([nameless, named], [named, named]):
        with pytest.raises(ValidationError, match="kid of its own"):
            KeySet("HS256", configs)
    keys = KeySet("HS256", [nameless])
    with pytest.raises(ValidationError):
        keys.rotate(named)
    assert keys.kids == (None,)


def test_a_key_set_is_shared_by_providers_of_one_algorithm() -> None:
    keys = KeySet("HS256", [JWTKeyConfig(secret=SECRET)])
    access = HS256Provider(keys, dict[str, Any], token_type="at+jwt")
    refresh = HS256Provider(keys, dict[str, Any], token_type="rt+jwt")
    token = access.sign({"sub": "ada"}).unwrap()
    assert access.verify(token).is_ok()
    assert refresh.verify(token).unwrap_err().error_code == "TOKEN_TYPE_MISMATCH"
    with pytest.raises(ValidationError, match="Algorithm mismatch"):
        RS256Provider(keys, dict[str, Any])


def test_a_public_key_verifies_and_does_not_sign() -> None:
    signer, verifier = of(ES256Provider, private_key=private_pem(P256)), of(ES256Provider, public_key=public(P256))
    assert verifier.verify(signer.sign({"sub": "ada"}).unwrap()).unwrap()["sub"] == "ada"
    assert isinstance(verifier.sign({"sub": "ada"}).unwrap_err(), KeyUnknownError)


def test_what_is_published_holds_no_private_part() -> None:
    provider = of(RS256Provider, private_key=private_pem(RSA), kid="2026")
    [jwk] = provider.keys.jwks()["keys"]
    assert set(jwk) == {"kty", "n", "e", "kid", "alg", "use", "key_ops"}
    assert (jwk["kid"], jwk["alg"]) == ("2026", "RS256")
    again = RS256Provider(JWTKeyConfig.from_jwk(jwk), dict[str, Any])
    assert again.verify(provider.sign({"sub": "ada"}).unwrap()).is_ok()
    assert of(HS256Provider, secret=SECRET).keys.jwks() == {"keys": []}


@given(st.binary(max_size=20))
def test_base_64_has_one_spelling(data: bytes) -> None:
    assert decode(encode(data)) == data


@given(st.text("ABCDwxyz0189-_+/=\n ", max_size=8))
def test_what_is_decoded_is_what_is_encoded(text: str) -> None:
    data = decode(text.encode())
    assert data is None or encode(data) == text.encode()
