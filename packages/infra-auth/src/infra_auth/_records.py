"""Tokens as bytes, for stores that keep them outside of the process."""

from infra_auth._tokens import reissued
from infra_protocols import JsonCodec, StoredToken, ValidationError
from infra_result import Err, Ok, Result


class Records[T: StoredToken]:
    """
    Writes tokens of one class without their `jti`, which is at rest nowhere, and without `revoked`, which may change.

    Raises:
        ValidationError: the class has a field that JSON does not know.
    """

    def __init__(self, type: type[T]) -> None:
        self._codec: JsonCodec[T] = JsonCodec(type)

    def written(self, token: T) -> Result[bytes, ValidationError]:
        """Return a token as bytes, unless it would not come back."""
        try:
            return Ok(self._codec.encode(reissued(token, "", revoked=False)))
        except ValidationError as error:
            return Err(error.with_traceback(None))

    def read(self, data: bytes, jti: str, *, revoked: bool) -> T:
        """
        Return the token that was written.

        Raises:
            DecodeError: it was written for another class.
        """
        return reissued(self._codec.decode(data), jti, revoked=revoked)
