"""What goes wrong with a token, with the keys that sign it, and with the store that keeps it."""

from infra_protocols.errors.security import AuthenticationError


class TokenMalformedError(AuthenticationError):
    """
    A token is no JWS in compact serialization (RFC 7515, section 7.1), or no JWT (RFC 7519): it says nothing.

    >>> TokenMalformedError.error_code
    'TOKEN_MALFORMED'
    """

    error_code = "TOKEN_MALFORMED"


class TokenTooLargeError(TokenMalformedError):
    """
    A token, or a part of it, is larger than it may be; nothing of it was decoded.

    >>> TokenTooLargeError.error_code
    'TOKEN_TOO_LARGE'
    """

    error_code = "TOKEN_TOO_LARGE"


class TokenHeaderError(AuthenticationError):
    """
    The header of a token asks for what is not understood: it has `crit` (RFC 7515, section 4.1.11).

    >>> TokenHeaderError.error_code
    'TOKEN_HEADER_REFUSED'
    """

    error_code = "TOKEN_HEADER_REFUSED"


class TokenTypeMismatchError(AuthenticationError):
    """
    A token is of another type than is wanted here: its `typ` says so (RFC 8725, section 3.11).

    >>> TokenTypeMismatchError.error_code
    'TOKEN_TYPE_MISMATCH'
    """

    error_code = "TOKEN_TYPE_MISMATCH"


class AlgorithmMismatchError(AuthenticationError):
    """
    A token says that it was signed by another algorithm than its key is for (RFC 8725, section 3.1).

    >>> AlgorithmMismatchError.error_code
    'ALGORITHM_MISMATCH'
    """

    error_code = "ALGORITHM_MISMATCH"


class KeyUnknownError(AuthenticationError):
    """
    There is no key for a token: none has its `kid`, or there is none to sign with.

    >>> KeyUnknownError.error_code
    'KEY_UNKNOWN'
    """

    error_code = "KEY_UNKNOWN"


class KeySourceUnavailableError(AuthenticationError, ConnectionError):
    """
    The keys to verify with could not be fetched, and none are known from before.

    >>> KeySourceUnavailableError.error_code
    'KEY_SOURCE_UNAVAILABLE'
    """

    error_code = "KEY_SOURCE_UNAVAILABLE"


class SignatureInvalidError(AuthenticationError):
    """
    A token was not signed with the key, or was changed since.

    >>> SignatureInvalidError.error_code
    'SIGNATURE_INVALID'
    """

    error_code = "SIGNATURE_INVALID"


class TokenExpiredError(AuthenticationError):
    """
    The time of a token is over: `exp` (RFC 7519, section 4.1.4).

    >>> TokenExpiredError.error_code
    'TOKEN_EXPIRED'
    """

    error_code = "TOKEN_EXPIRED"


class TokenNotYetValidError(AuthenticationError):
    """
    The time of a token is still to come: `nbf` (RFC 7519, section 4.1.5).

    >>> TokenNotYetValidError.error_code
    'TOKEN_NOT_YET_VALID'
    """

    error_code = "TOKEN_NOT_YET_VALID"


class TokenIssuedInFutureError(AuthenticationError):
    """
    A token says that it was issued at a time still to come: `iat` (RFC 7519, section 4.1.6).

    >>> TokenIssuedInFutureError.error_code
    'TOKEN_ISSUED_IN_FUTURE'
    """

    error_code = "TOKEN_ISSUED_IN_FUTURE"


class ClaimMissingError(AuthenticationError):
    """
    A token lacks a claim that it must have.

    >>> ClaimMissingError.error_code
    'CLAIM_MISSING'
    """

    error_code = "CLAIM_MISSING"


class ClaimInvalidError(AuthenticationError):
    """
    A registered claim of a token is not of the kind that it must be (RFC 7519, section 4.1).

    >>> ClaimInvalidError.error_code
    'CLAIM_INVALID'
    """

    error_code = "CLAIM_INVALID"


class IssuerMismatchError(AuthenticationError):
    """
    A token is from another issuer: `iss` (RFC 7519, section 4.1.1).

    >>> IssuerMismatchError.error_code
    'ISSUER_MISMATCH'
    """

    error_code = "ISSUER_MISMATCH"


class AudienceMismatchError(AuthenticationError):
    """
    A token is for another audience: `aud` (RFC 7519, section 4.1.3).

    >>> AudienceMismatchError.error_code
    'AUDIENCE_MISMATCH'
    """

    error_code = "AUDIENCE_MISMATCH"


class SubjectMismatchError(AuthenticationError):
    """
    A token is about another subject: `sub` (RFC 7519, section 4.1.2).

    >>> SubjectMismatchError.error_code
    'SUBJECT_MISMATCH'
    """

    error_code = "SUBJECT_MISMATCH"


class PayloadInvalidError(AuthenticationError):
    """
    The claims of a token do not stand for a payload of the declared type; `__cause__` says which part does not.

    >>> PayloadInvalidError.error_code
    'PAYLOAD_INVALID'
    """

    error_code = "PAYLOAD_INVALID"


class TokenNotFoundError(AuthenticationError, LookupError):
    """
    A token store knows no such token: it was never stored, or its time is over.

    >>> TokenNotFoundError.error_code
    'TOKEN_NOT_FOUND'
    """

    error_code = "TOKEN_NOT_FOUND"


class TokenExistsError(AuthenticationError):
    """
    A token cannot be stored: its identifier is known already, be it that of a revoked token.

    >>> TokenExistsError.error_code
    'TOKEN_EXISTS'
    """

    error_code = "TOKEN_EXISTS"


class TokenRevokedError(AuthenticationError):
    """
    A token was revoked.

    >>> TokenRevokedError.error_code
    'TOKEN_REVOKED'
    """

    error_code = "TOKEN_REVOKED"


class TokenReusedError(TokenRevokedError):
    """
    A token was presented again, long after it was rotated: it is in two hands, and its family was revoked (RFC 9700,
    section 4.14.2).

    >>> TokenReusedError.error_code
    'TOKEN_REUSED'
    """

    error_code = "TOKEN_REUSED"


class TokenStoreUnavailableError(AuthenticationError, ConnectionError):
    """
    The engine of a token store did not answer, or not in time; whether what was asked for has happened is not known.

    >>> TokenStoreUnavailableError.error_code
    'TOKEN_STORE_UNAVAILABLE'
    """

    error_code = "TOKEN_STORE_UNAVAILABLE"


class TokenStoreRefusedError(AuthenticationError):
    """
    The engine of a token store answered that it will not do what was asked: it is full, or its tables are not there.

    >>> TokenStoreRefusedError.error_code
    'TOKEN_STORE_REFUSED'
    """

    error_code = "TOKEN_STORE_REFUSED"
