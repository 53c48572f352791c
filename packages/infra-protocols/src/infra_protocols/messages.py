"""
Every error text of the infra packages, in one place.

A text is a template: its fields are filled by `str.format`. A package that needs a text of its own extends the class
in its own `messages.py`, so that a new text needs no release of this package.
"""

from typing import Final

from infra_result import ResultMessages


class ErrorMessages(ResultMessages):
    """
    The error texts, grouped by domain.

    >>> ErrorMessages.VALIDATION_EMPTY_VALUE.format(field="name")
    'name cannot be empty or whitespace'
    """

    # Authentication
    AUTH_TOKEN_EXPIRED: Final[str] = "Token has expired"
    AUTH_TOKEN_INVALID: Final[str] = "Invalid token"
    AUTH_TOKEN_REVOKED: Final[str] = "Token has been revoked"
    AUTH_ALGORITHM_MISMATCH: Final[str] = "Algorithm mismatch: expected {expected}, got {received}"
    AUTH_KEY_INVALID: Final[str] = "Invalid key format"
    AUTH_TOKEN_MALFORMED: Final[str] = "Malformed token: {reason}"
    AUTH_TOKEN_TOO_LARGE: Final[str] = "The {part} of the token is larger than {max} bytes"
    AUTH_TOKEN_NOT_YET_VALID: Final[str] = "Token is not valid yet"
    AUTH_TOKEN_ISSUED_IN_FUTURE: Final[str] = "Token was issued in the future"
    AUTH_HEADER_CRITICAL: Final[str] = "The header of the token has extensions that must be understood, and are not"
    AUTH_SIGNATURE_INVALID: Final[str] = "The signature of the token is not valid"
    AUTH_KEY_UNKNOWN: Final[str] = "There is no key for this token"
    AUTH_CLAIM_MISSING: Final[str] = "The token has no claim {claim}"
    AUTH_CLAIM_INVALID: Final[str] = "The claim {claim} of the token must be {expected}"
    AUTH_CLAIM_MISMATCH: Final[str] = "The claim {claim} of the token is not what it must be here"
    AUTH_TYPE_MISMATCH: Final[str] = "The token is not of the type {expected}"
    AUTH_PAYLOAD_INVALID: Final[str] = "The claims of the token do not make a {expected}"
    AUTH_TOKEN_EXISTS: Final[str] = "The identifier of the token is known already"
    AUTH_TOKEN_NOT_FOUND: Final[str] = "The token is not known"
    AUTH_TOKEN_REUSED: Final[str] = "Token was used again; all tokens of its family were revoked"
    AUTH_STORE_UNAVAILABLE: Final[str] = "The engine of the token store did not answer: {reason}"
    AUTH_STORE_REFUSED: Final[str] = "The engine of the token store refused: {reason}"

    # Cache
    CACHE_KEY_NOT_FOUND: Final[str] = "Cache key not found: {key}"
    CACHE_SERIALIZATION_FAILED: Final[str] = "Failed to serialize cache value"
    CACHE_DESERIALIZATION_FAILED: Final[str] = "Failed to deserialize cache value"
    CACHE_WRONG_TYPE: Final[str] = "Cache key {key} holds a value of another type: expected {expected}, got {kind}"
    CACHE_UNAVAILABLE: Final[str] = "The cache engine did not answer: {reason}"
    CACHE_REFUSED: Final[str] = "The cache engine refused: {reason}"
    CACHE_LOAD_CYCLE: Final[str] = "The loader of {key} waits for its own result"
    CACHE_LOAD_CANCELLED: Final[str] = "The loader of {key} was cancelled from inside"

    # Codec
    CODEC_UNSUPPORTED_TYPE: Final[str] = "There is no codec for {part}: {reason}"
    DECODE_NOT_JSON: Final[str] = "Cannot decode what is not JSON in UTF-8, or could not be written again"
    DECODE_WRONG_KIND: Final[str] = "Cannot decode {path}: expected {expected}, got {kind}"

    # Compression
    COMPRESSION_DATA_CORRUPT: Final[str] = "This is not whole and valid {encoding}"
    COMPRESSION_OUTPUT_TOO_LARGE: Final[str] = "Decompressed, this would be larger than {max_size} bytes"
    COMPRESSION_STREAM_FINISHED: Final[str] = "The stream is finished and takes nothing more"
    COMPRESSION_ENCODING_UNKNOWN: Final[str] = "There is no content coding {encoding}"
    COMPRESSION_ENCODING_UNAVAILABLE: Final[str] = "The library for the content coding {encoding} is not installed"
    COMPRESSION_NOT_ACCEPTABLE: Final[str] = "No content coding that there is, and not the plain content, is accepted"

    # Connection pool
    POOL_EXHAUSTED: Final[str] = "Connection pool exhausted"
    POOL_ACQUIRE_TIMEOUT: Final[str] = "Acquire timeout after {timeout}s"
    POOL_CONNECTION_ERROR: Final[str] = "Connection error: {message}"
    POOL_CLOSED: Final[str] = "Pool is closed"
    POOL_NOT_OPEN: Final[str] = "Pool is not open"
    POOL_WRONG_LOOP: Final[str] = "Pool was opened in another {place}, and is of no use in this one"
    POOL_LEASE_RELEASED: Final[str] = "Lease was released before"
    POOL_LEASE_FOREIGN: Final[str] = "Lease is not of this pool"
    POOL_COUNTS_DIFFER: Final[str] = "idle + in_use + unhealthy is {counted}, and total is {total}"

    # Health
    HEALTH_TIMEOUT: Final[str] = "No answer within {timeout}s"
    HEALTH_STILL_RUNS: Final[str] = "The check before this one has not ended yet"
    HEALTH_CANCELLED: Final[str] = "The check was cancelled from inside"
    HEALTH_STALE: Final[str] = "The last good result is {age}s old, and believed for {max_age}s"
    HEALTH_WRONG_ANSWER: Final[str] = "The answer was {answer}, and not {expected}"
    HEALTH_BEYOND_LIMIT: Final[str] = "{measurement} is {value}, and its limit {limit}"
    HEALTH_NAME_TAKEN: Final[str] = "{field} must be different: two checks are called {name}"

    # Messaging
    MESSAGING_DISPATCH_FAILED: Final[str] = "{count} {handlers} failed: {failures}"
    MESSAGING_HANDLER_TIMEOUT: Final[str] = "The handler {handler} did not return within {timeout}s"
    MESSAGING_HANDLER_CANCELLED: Final[str] = "The handler {handler} was cancelled from inside"
    MESSAGING_UNAVAILABLE: Final[str] = "The engine of the broker did not answer: {reason}"
    MESSAGING_REFUSED: Final[str] = "The engine of the broker refused: {reason}"
    MESSAGING_BACKLOG_FULL: Final[str] = "{max} messages wait for the group {group} already"
    MESSAGING_CLOSED: Final[str] = "The broker is closed"
    MESSAGING_NOT_OPEN: Final[str] = "The broker is not open"
    MESSAGING_REQUEST_TIMEOUT: Final[str] = "No reply within {timeout}s"
    MESSAGING_REQUEST_FAILED: Final[str] = "The request could not be handled: {error}"
    MESSAGING_EITHER: Final[str] = "There can be {one} or {other}, not both"
    MESSAGING_PARTITIONS_DIFFER: Final[str] = "The group {group} has {partitions} partitions"
    MESSAGING_OUTBOX_UNAVAILABLE: Final[str] = "The database of the outbox did not answer: {reason}"
    MESSAGING_OUTBOX_REFUSED: Final[str] = "The database of the outbox refused: {reason}"

    # Data
    FROZEN: Final[str] = "A {kind} cannot be changed: {field}"

    # Repository
    ENTITY_EXISTS: Final[str] = "An entity with this id exists already: {id}"
    ENTITY_NOT_FOUND: Final[str] = "No entity has this id: {id}"

    # Validation
    VALIDATION_EMPTY_VALUE: Final[str] = "{field} cannot be empty or whitespace"
    VALIDATION_INVALID_FORMAT: Final[str] = "Invalid format for {field}"
    VALIDATION_OUT_OF_RANGE: Final[str] = "{field} must be between {min} and {max}"
    VALIDATION_WRONG_KIND: Final[str] = "{field} must be {expected}"

    # Security
    SECURITY_UNAUTHORIZED: Final[str] = "Unauthorized access"
    SECURITY_FORBIDDEN: Final[str] = "Access forbidden"
    SECURITY_RATE_LIMITED: Final[str] = "Rate limit exceeded, retry after {retry_after}s"
