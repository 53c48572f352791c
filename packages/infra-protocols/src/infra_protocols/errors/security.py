"""Who someone is, and what they may do."""

from infra_protocols.errors.base import InfrastructureError


class AuthenticationError(InfrastructureError):
    """
    Who someone is could not be established.

    >>> AuthenticationError.error_code
    'AUTHENTICATION_ERROR'
    """

    error_code = "AUTHENTICATION_ERROR"


class SecurityError(InfrastructureError):
    """
    Something is not allowed, or not now.

    >>> SecurityError.error_code
    'SECURITY_ERROR'
    """

    error_code = "SECURITY_ERROR"


class ForbiddenError(SecurityError, PermissionError):
    """
    Who asks is known, and may not do what was asked.

    >>> ForbiddenError.error_code
    'FORBIDDEN'
    """

    error_code = "FORBIDDEN"


class DecryptionError(SecurityError, ValueError):
    """
    What was encrypted cannot be read: it was changed, belongs elsewhere, or its key is not there.

    >>> DecryptionError.error_code
    'DECRYPTION_FAILED'
    """

    error_code = "DECRYPTION_FAILED"
