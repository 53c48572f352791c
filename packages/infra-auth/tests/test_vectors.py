"""The examples of the RFCs: RFC 7515, appendix A, and RFC 8037, appendix A.4."""

from datetime import UTC, datetime
from typing import Any

import pytest

from infra_auth import EdDSAProvider, ES256Provider, HS256Provider, JWTKeyConfig, RS256Provider
from infra_auth._algorithms import load_key
from infra_auth._base64url import decode, encode
from infra_protocols import Clock, TokenExpiredError, ValidationError
from infra_result import Ok

# RFC 7515, A.1: the token has a line break in its header, and ended in 2011.
HS256_KEY = {
    "kty": "oct",
    "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
}
PAYLOAD = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
HS256 = f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CLAIMS = {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}

# A.2
RS256_KEY = {
    "kty": "RSA",
    "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR"
    "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
    "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2eth"
    "FkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    "e": "AQAB",
}
RS256 = (
    f"eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_"
    "lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L0"
    "7Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs"
    "98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)

# A.3
ES256_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
}
ES256 = (
    f"eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)

# RFC 8037, A.1 and A.4: what is signed is no JSON.
EDDSA_KEY = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
EDDSA = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


class In2011:
    """The clock of the day on which the examples were good."""

    def monotonic(self) -> float:
        return 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(1300819379, UTC)


@pytest.mark.parametrize(
    ("provider", "key", "token"),
    [(HS256Provider, HS256_KEY, HS256), (RS256Provider, RS256_KEY, RS256), (ES256Provider, ES256_KEY, ES256)],
)
def test_the_examples_of_rfc_7515_verify(provider: Any, key: dict[str, str], token: str, clock: Clock) -> None:
    config = JWTKeyConfig.from_jwk(key)
    good = provider(config, dict[str, Any], issuer="joe", clock=In2011())
    assert good.verify(token) == Ok(CLAIMS)
    late = provider(config, dict[str, Any], issuer="joe", clock=clock)
    assert isinstance(late.verify(token).unwrap_err(), TokenExpiredError)


def test_the_example_of_rfc_8037_is_signed_and_verified() -> None:
    signed, _, signature = EDDSA.rpartition(".")
    key = load_key("EdDSA", JWTKeyConfig.from_jwk(EDDSA_KEY))
    assert key.sign(signed.encode()) == signature.encode()
    assert key.verifies(signed.encode(), signature.encode())
    assert decode(signed.partition(".")[2].encode()) == b"Example of Ed25519 signing"
    provider = EdDSAProvider(JWTKeyConfig.from_jwk(EDDSA_KEY), dict[str, Any])
    assert provider.verify(EDDSA).unwrap_err().error_code == "TOKEN_MALFORMED"


def test_the_unsecured_example_is_refused() -> None:
    # RFC 7515, A.5
    provider = HS256Provider(JWTKeyConfig.from_jwk(HS256_KEY), dict[str, Any])
    assert provider.verify(f"eyJhbGciOiJub25lIn0.{PAYLOAD}.").unwrap_err().error_code == "ALGORITHM_MISMATCH"


def test_the_example_of_base_64() -> None:
    # RFC 7515, appendix C
    assert encode(bytes([3, 236, 255, 224, 193])) == b"A-z_4ME"
    assert decode(b"A-z_4ME") == bytes([3, 236, 255, 224, 193])


@pytest.mark.parametrize(
    "jwk", [{}, {"kty": "oct"}, {"kty": "RSA", "n": "AQ"}, {"kty": "x"}, {"kty": 7}, {"kty": "EC"}]
)
def test_what_is_no_jwk_is_refused(jwk: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="Invalid key format"):
        JWTKeyConfig.from_jwk(jwk)
