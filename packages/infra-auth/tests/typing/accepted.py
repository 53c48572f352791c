"""What type checkers make of the public names; every line of this must be accepted."""

from dataclasses import dataclass
from typing import TypedDict, assert_type

from infra_auth import (
    AuthorizationContext,
    EncryptedValue,
    Encryptor,
    HS256Provider,
    InMemoryTokenStore,
    JWKSSource,
    JWKSVerifier,
    JWTKeyConfig,
    PolicyBasedAuthorizer,
    RS256Provider,
)
from infra_auth.postgres import PostgresTokenStore
from infra_auth.redis import RedisTokenStore
from infra_protocols import (
    AuthenticationError,
    DecryptionError,
    JWTAlgorithmProvider,
    StoredToken,
    TokenStoreProtocol,
    ValidationError,
)
from infra_result import Result


@dataclass(frozen=True)
class Session:
    sub: str


class Claims(TypedDict):
    sub: str


@dataclass(frozen=True, slots=True)
class DeviceToken(StoredToken):
    device: str = ""


def a_provider_knows_its_payload(key: JWTKeyConfig, token: str) -> JWTAlgorithmProvider[Session]:
    provider = HS256Provider(key, Session)
    assert_type(provider.verify(token), Result[Session, AuthenticationError])
    assert_type(provider.sign(Session("ada")), Result[str, AuthenticationError | ValidationError])
    assert_type(RS256Provider(key, Claims).verify(token), Result[Claims, AuthenticationError])
    return provider


async def a_verifier_knows_its_payload(source: JWKSSource, token: str) -> None:
    assert_type(await JWKSVerifier(source, Session).verify(token), Result[Session, AuthenticationError])


async def a_store_knows_its_tokens(token: DeviceToken) -> list[TokenStoreProtocol[DeviceToken]]:
    plain: list[TokenStoreProtocol[StoredToken]] = [
        InMemoryTokenStore(),
        RedisTokenStore.from_url("redis://", "name"),
        PostgresTokenStore.from_url("postgresql://"),
    ]
    assert_type(await plain[0].get("jti"), StoredToken | None)
    store = InMemoryTokenStore(type=DeviceToken)
    assert_type(await store.get("jti"), DeviceToken | None)
    assert_type(await store.rotate("jti", token), Result[DeviceToken, AuthenticationError | ValidationError])
    return [
        store,
        RedisTokenStore.from_url("redis://", "name", type=DeviceToken),
        PostgresTokenStore.from_url("postgresql://", type=DeviceToken),
    ]


def an_encrypted_value_keeps_its_type(key: bytes) -> None:
    numbers = Encryptor(int, [key])
    kept = numbers.encrypt(7)
    assert_type(kept, Result[EncryptedValue[int], ValidationError])
    assert_type(numbers.decrypt(kept.unwrap()), Result[int, DecryptionError])


def an_authorizer_knows_resources_and_actions(authorizer: PolicyBasedAuthorizer[Session, int]) -> bool:
    return authorizer.decide(AuthorizationContext(subject="ada", resource=Session("ada"), action=7)).allowed
