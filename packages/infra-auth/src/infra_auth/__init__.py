"""Typed JWTs that hold under attack, and token stores that hold under concurrency."""

from infra_auth.authorization import (
    AuthorizationContext,
    AuthorizationDecision,
    Effect,
    Policy,
    PolicyBasedAuthorizer,
)
from infra_auth.encrypted import EncryptedValue, Encryptor
from infra_auth.jwks import JWKSSource, JWKSVerifier
from infra_auth.key_set import KeySet
from infra_auth.keys import JWTKeyConfig
from infra_auth.memory import InMemoryTokenStore
from infra_auth.messages import AuthMessages
from infra_auth.payload import JsonPayload, PayloadCodec
from infra_auth.provider import BaseJWTProvider
from infra_auth.providers import EdDSAProvider, ES256Provider, HS256Provider, RS256Provider

__all__ = [
    "AuthMessages",
    "AuthorizationContext",
    "AuthorizationDecision",
    "BaseJWTProvider",
    "ES256Provider",
    "EdDSAProvider",
    "Effect",
    "EncryptedValue",
    "Encryptor",
    "HS256Provider",
    "InMemoryTokenStore",
    "JWKSSource",
    "JWKSVerifier",
    "JWTKeyConfig",
    "JsonPayload",
    "KeySet",
    "PayloadCodec",
    "Policy",
    "PolicyBasedAuthorizer",
    "RS256Provider",
]
