"""The keys of a provider: one that signs, others that still verify."""

from collections.abc import Sequence
from typing import Any

from infra_auth._algorithms import Key, load_key
from infra_auth.keys import JWTKeyConfig
from infra_auth.messages import AuthMessages
from infra_protocols import ValidationError


class KeySet:
    """
    Keys for one algorithm, which can be changed while tokens are signed and verified.

    To rotate: add the new key, which signs from then on, and keep the old one until the last token that it has signed
    is over; then retire it. Other processes must know the new key before it signs: publish it first.

    Args:
        algorithm: what they are for.
        configs: the keys; the first signs.

    Raises:
        ValidationError: a key is not fit for the algorithm; or there are several and not each has a `kid` of its own.

    >>> keys = KeySet("HS256", [JWTKeyConfig(secret=b"o" * 32, kid="old")])
    >>> keys.rotate(JWTKeyConfig(secret=b"n" * 32, kid="new"))
    >>> keys.kids
    ('new', 'old')
    >>> keys.retire("old")
    True
    """

    __slots__ = ("_by_kid", "_keys", "algorithm")

    def __init__(self, algorithm: str, configs: Sequence[JWTKeyConfig]) -> None:
        self.algorithm: str = algorithm
        self._set([load_key(algorithm, config) for config in configs])

    @property
    def kids(self) -> tuple[str | None, ...]:
        """What tells the keys apart; the first signs."""
        return tuple(key.kid for key in self._keys)

    @property
    def signing(self) -> Key | None:
        """The key that signs; `None` where there is none, or only its public half."""
        key = self._keys[0] if self._keys else None
        return key if key is not None and key.signs else None

    def find(self, kid: str | None) -> Key | None:
        """Return the key that `kid` names; a key that stands alone without a `kid` is meant by whatever is named."""
        if len(self._keys) == 1 and self._keys[0].kid is None:
            return self._keys[0]
        return None if kid is None else self._by_kid.get(kid)

    def rotate(self, config: JWTKeyConfig) -> None:
        """
        Sign with this key from now on, and verify with it too.

        Raises:
            ValidationError: it is not fit for the algorithm, or there is one of its `kid`; nothing changes.
        """
        self._set([load_key(self.algorithm, config), *self._keys])

    def retire(self, kid: str) -> bool:
        """
        Verify no more with the key that `kid` names, and say whether there was one.

        Raises:
            ValidationError: it is the one that signs.
        """
        key = self._by_kid.get(kid)
        if key is None:
            return False
        if key is self._keys[0]:
            raise ValidationError(AuthMessages.KEY_KID_SIGNS, field="kid", kind="str")
        self._set([each for each in self._keys if each is not key])
        return True

    def jwks(self) -> dict[str, Any]:
        """
        Return the public keys as a JWK Set (RFC 7517, section 5), to be published as JSON; secrets are not in it.

        >>> KeySet("HS256", [JWTKeyConfig(secret=b"s" * 32)]).jwks()
        {'keys': []}
        """
        published = [key.jwk() for key in self._keys]
        return {"keys": [jwk for jwk in published if jwk is not None]}

    def __repr__(self) -> str:
        """Return what it is for, and what tells its keys apart."""
        return f"KeySet({self.algorithm!r}, kids={self.kids})"

    def _set(self, keys: list[Key]) -> None:
        by_kid = {key.kid: key for key in keys if key.kid is not None}
        if len(keys) > 1 and len(by_kid) != len(keys):
            raise ValidationError(AuthMessages.KEY_KID_NEEDED, field="kid", kind="str")
        self._keys, self._by_kid = keys, by_kid
