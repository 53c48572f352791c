"""The error texts of this package."""

from typing import Final

from infra_protocols import ErrorMessages


class AuthMessages(ErrorMessages):
    """
    The texts of `infra_protocols.ErrorMessages`, and those that only this implementation needs.

    >>> AuthMessages.KEY_UNFIT.format(algorithm="ES256", reason="its curve is not P-256")
    'The key cannot be used for ES256: its curve is not P-256'
    """

    KEY_UNFIT: Final[str] = "The key cannot be used for {algorithm}: {reason}"
    KEY_ONE_OF: Final[str] = "Give exactly one of {fields}"
    KEY_KID_NEEDED: Final[str] = "Where there are several keys, each needs a kid of its own"
    KEY_KID_SIGNS: Final[str] = "The key that signs cannot be retired: rotate to another one first"
    PAYLOAD_TYPE_UNFIT: Final[str] = "{field} must be made into a JSON object: a dataclass, a TypedDict or a dict"
    MISSING_EXTRA: Final[str] = "This takes a library that is not installed: pip install infra-auth[{extra}]"
    STORE_CLIENT_DECODES: Final[str] = "{field} must hand on bytes as they are: make it with decode_responses=False"
    STORE_SCHEMA_TOO_NEW: Final[str] = "The tables are of version {found}, and this release knows {known}"
    SUCCESSOR_DIFFERS: Final[str] = "{field} must be that of the token that is rotated"
    JWKS_UNAVAILABLE: Final[str] = "The key set could not be fetched: {reason}"
    FORBIDDEN_BECAUSE: Final[str] = "Access forbidden: {reason}"
    DECRYPTION_FAILED: Final[str] = "The encrypted value cannot be read with any of the keys"
