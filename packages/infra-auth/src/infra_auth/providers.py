"""The providers, one for each algorithm."""

from infra_auth.provider import BaseJWTProvider


class HS256Provider[TPayload](BaseJWTProvider[TPayload]):
    """
    Signs and verifies by HMAC with SHA-256 (RFC 7518, section 3.2): by a secret that both sides have.

    Type parameters:
        TPayload: the payload.

    >>> from infra_auth import JWTKeyConfig
    >>> provider = HS256Provider(JWTKeyConfig(secret=b"0123456789abcdef0123456789abcdef"), dict[str, object])
    >>> provider.sign({"sub": "ada"}).flat_map(provider.verify).map(lambda claims: claims["sub"])
    Ok('ada')
    """

    algorithm: str = "HS256"


class RS256Provider[TPayload](BaseJWTProvider[TPayload]):
    """
    Signs and verifies by RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3): by an RSA key of 2048 bits or more.

    Type parameters:
        TPayload: the payload.

    >>> RS256Provider.algorithm
    'RS256'
    """

    algorithm: str = "RS256"


class ES256Provider[TPayload](BaseJWTProvider[TPayload]):
    """
    Signs and verifies by ECDSA with P-256 and SHA-256 (RFC 7518, section 3.4).

    Type parameters:
        TPayload: the payload.

    >>> ES256Provider.algorithm
    'ES256'
    """

    algorithm: str = "ES256"


class EdDSAProvider[TPayload](BaseJWTProvider[TPayload]):
    """
    Signs and verifies by Ed25519 (RFC 8037, section 3.1).

    Type parameters:
        TPayload: the payload.

    >>> EdDSAProvider.algorithm
    'EdDSA'
    """

    algorithm: str = "EdDSA"
