"""
The errors of the infra packages, as a tree.

Each failure that a caller would branch on is a class of its own, under the branch of its domain; each also is the
nearest builtin, where there is one, so that code which does not know this package handles it too.
"""

from infra_protocols.errors.auth import (
    AlgorithmMismatchError,
    AudienceMismatchError,
    ClaimInvalidError,
    ClaimMissingError,
    IssuerMismatchError,
    KeySourceUnavailableError,
    KeyUnknownError,
    PayloadInvalidError,
    SignatureInvalidError,
    SubjectMismatchError,
    TokenExistsError,
    TokenExpiredError,
    TokenHeaderError,
    TokenIssuedInFutureError,
    TokenMalformedError,
    TokenNotFoundError,
    TokenNotYetValidError,
    TokenReusedError,
    TokenRevokedError,
    TokenStoreRefusedError,
    TokenStoreUnavailableError,
    TokenTooLargeError,
    TokenTypeMismatchError,
)
from infra_protocols.errors.base import InfrastructureError
from infra_protocols.errors.cache import (
    CacheError,
    CacheRefusedError,
    CacheTypeError,
    CacheUnavailableError,
    LoadCancelledError,
    LoadCycleError,
)
from infra_protocols.errors.compression import (
    CompressionError,
    CorruptDataError,
    EncodingUnavailableError,
    NotAcceptableError,
    OutputTooLargeError,
    UnknownEncodingError,
)
from infra_protocols.errors.data import DecodeError, ValidationError
from infra_protocols.errors.health import (
    HealthAnswerError,
    HealthError,
    HealthLimitError,
    HealthStaleError,
    HealthTimeoutError,
)
from infra_protocols.errors.messaging import MessagingError
from infra_protocols.errors.pool import (
    PoolClosedError,
    PoolError,
    PoolExhaustedError,
    PoolLeaseError,
    PoolLoopError,
    PoolTimeoutError,
)
from infra_protocols.errors.security import AuthenticationError, DecryptionError, ForbiddenError, SecurityError
from infra_protocols.errors.service import EntityExistsError, EntityNotFoundError, ServiceError
from infra_protocols.errors.tasks import TaskError

__all__ = [
    "AlgorithmMismatchError",
    "AudienceMismatchError",
    "AuthenticationError",
    "CacheError",
    "CacheRefusedError",
    "CacheTypeError",
    "CacheUnavailableError",
    "ClaimInvalidError",
    "ClaimMissingError",
    "CompressionError",
    "CorruptDataError",
    "DecodeError",
    "DecryptionError",
    "EncodingUnavailableError",
    "EntityExistsError",
    "EntityNotFoundError",
    "ForbiddenError",
    "HealthAnswerError",
    "HealthError",
    "HealthLimitError",
    "HealthStaleError",
    "HealthTimeoutError",
    "InfrastructureError",
    "IssuerMismatchError",
    "KeySourceUnavailableError",
    "KeyUnknownError",
    "LoadCancelledError",
    "LoadCycleError",
    "MessagingError",
    "NotAcceptableError",
    "OutputTooLargeError",
    "PayloadInvalidError",
    "PoolClosedError",
    "PoolError",
    "PoolExhaustedError",
    "PoolLeaseError",
    "PoolLoopError",
    "PoolTimeoutError",
    "SecurityError",
    "ServiceError",
    "SignatureInvalidError",
    "SubjectMismatchError",
    "TaskError",
    "TokenExistsError",
    "TokenExpiredError",
    "TokenHeaderError",
    "TokenIssuedInFutureError",
    "TokenMalformedError",
    "TokenNotFoundError",
    "TokenNotYetValidError",
    "TokenReusedError",
    "TokenRevokedError",
    "TokenStoreRefusedError",
    "TokenStoreUnavailableError",
    "TokenTooLargeError",
    "TokenTypeMismatchError",
    "UnknownEncodingError",
    "ValidationError",
]
