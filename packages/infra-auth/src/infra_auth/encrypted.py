"""Values that are encrypted at rest, and know their type."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from os import urandom
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra_auth.messages import AuthMessages
from infra_protocols import Codec, DecodeError, DecryptionError, JsonCodec, ValidationError, or_raise, require_type
from infra_result import Err, Ok, Result

_VERSION: Final = b"\x01"
_NONCE: Final = 12
_KEY_SIZES: Final = (16, 24, 32)
_MARK: Final = b"infra-auth encrypted value"


@dataclass(frozen=True)  # no slots: with them, Python 3.12 cannot make an EncryptedValue[T](...)
class EncryptedValue[T]:
    """
    A value that is encrypted, and prints nothing of it; its bytes can be kept anywhere.

    Type parameters:
        T: what was encrypted.

    >>> EncryptedValue[str](b"...")
    EncryptedValue()
    """

    data: bytes = field(repr=False)
    """Version, nonce, and what AES-GCM made of the value."""


class Encryptor[T]:
    """
    Encrypts values of one type by AES-GCM (NIST SP 800-38D), and decrypts them.

    To rotate: put the new key first. It encrypts from then on; the others still decrypt, until all that they have
    encrypted was renewed.

    Args:
        type: the type of the values.
        keys: AES keys of 16, 24 or 32 random bytes, as of `secrets.token_bytes`; the first encrypts.
        codec: what writes and reads the values.

    Type parameters:
        T: the type of the values.

    Raises:
        ValidationError: there is no key, or one of another size; or the codec does not know the type.

    >>> from secrets import token_bytes
    >>> addresses = Encryptor(str, [token_bytes(32)])
    >>> kept = addresses.encrypt("12 St James's Square", bound_to="user:1").unwrap()
    >>> addresses.decrypt(kept, bound_to="user:1")
    Ok("12 St James's Square")
    >>> addresses.decrypt(kept, bound_to="user:2").unwrap_err().error_code
    'DECRYPTION_FAILED'
    """

    __slots__ = ("_ciphers", "_codec")

    def __init__(self, type: type[T], keys: Sequence[bytes], *, codec: Callable[[Any], Codec[Any]] = JsonCodec) -> None:
        for key in keys:
            if len(or_raise(require_type(key, "keys", bytes))) not in _KEY_SIZES:
                message = AuthMessages.VALIDATION_WRONG_KIND.format(field="keys", expected="of 16, 24 or 32 bytes each")
                raise ValidationError(message, field="keys", kind="bytes")
        if not keys:
            raise ValidationError(AuthMessages.VALIDATION_EMPTY_VALUE.format(field="keys"), field="keys", kind="list")
        self._ciphers = [AESGCM(key) for key in keys]
        self._codec: Codec[T] = codec(type)

    def encrypt(self, value: T, *, bound_to: str = "") -> Result[EncryptedValue[T], ValidationError]:
        """
        Return `value`, encrypted by the first key.

        Args:
            value: what to encrypt.
            bound_to: where it belongs, as `"user:1"`: it can be read there alone, and put nowhere else.

        Returns an `Err` with:
            ValidationError: the value would not come back as it is.
        """
        try:
            plain = self._codec.encode(value)
        except ValidationError as error:
            return Err(error.with_traceback(None))
        nonce = urandom(_NONCE)
        return Ok(EncryptedValue(_VERSION + nonce + self._ciphers[0].encrypt(nonce, plain, _bound(bound_to))))

    def decrypt(self, value: EncryptedValue[T], *, bound_to: str = "") -> Result[T, DecryptionError]:
        """
        Return what was encrypted.

        Returns an `Err` with:
            DecryptionError: it was changed, was bound to something else, none of the keys is right, or it is of another
                type.
        """
        data, plain = value.data, None
        if data[:1] == _VERSION:
            nonce, sealed = data[1 : 1 + _NONCE], data[1 + _NONCE :]
            for cipher in self._ciphers:
                try:
                    plain = cipher.decrypt(nonce, sealed, _bound(bound_to))
                except (InvalidTag, ValueError):
                    continue
                break
        try:
            if plain is not None:
                return Ok(self._codec.decode(plain))
        except DecodeError:
            pass
        return Err(DecryptionError(AuthMessages.DECRYPTION_FAILED, operation="decrypt"))

    def renewed(self, value: EncryptedValue[T], *, bound_to: str = "") -> Result[EncryptedValue[T], DecryptionError]:
        """Return the same value, encrypted by the first key, so that the others can go."""
        return self.decrypt(value, bound_to=bound_to).flat_map(
            lambda plain: self.encrypt(plain, bound_to=bound_to).map_err(
                lambda _: DecryptionError(AuthMessages.DECRYPTION_FAILED, operation="decrypt")
            )
        )

    def __repr__(self) -> str:
        """Return how many keys there are, and nothing of them."""
        return f"Encryptor({len(self._ciphers)} keys)"


def _bound(to: str) -> bytes:
    return _MARK + to.encode("utf-8", "surrogatepass")
