"""The errors that are the paste service's own; the others are those of `infra_protocols`."""

from infra_protocols import ServiceError, ValidationError


class ContentTooLargeError(ValidationError):
    """
    The content of a paste is larger than the service takes.

    >>> ContentTooLargeError.error_code
    'CONTENT_TOO_LARGE'
    """

    error_code = "CONTENT_TOO_LARGE"


class BodyTooLargeError(ServiceError):
    """
    The body of a request is larger than the service reads.

    >>> BodyTooLargeError.error_code
    'BODY_TOO_LARGE'
    """

    error_code = "BODY_TOO_LARGE"


class MalformedBodyError(ServiceError):
    """
    The body of a request is not JSON.

    >>> MalformedBodyError.error_code
    'MALFORMED_BODY'
    """

    error_code = "MALFORMED_BODY"


class UnsupportedMediaTypeError(ServiceError):
    """
    The body of a request says that it is something other than JSON, or does not say what it is.

    >>> UnsupportedMediaTypeError.error_code
    'UNSUPPORTED_MEDIA_TYPE'
    """

    error_code = "UNSUPPORTED_MEDIA_TYPE"


class RouteNotFoundError(ServiceError):
    """
    The service has nothing at the path of a request.

    >>> RouteNotFoundError.error_code
    'ROUTE_NOT_FOUND'
    """

    error_code = "ROUTE_NOT_FOUND"


class MethodNotAllowedError(ServiceError):
    """
    What is at the path of a request does not take its method.

    >>> MethodNotAllowedError.error_code
    'METHOD_NOT_ALLOWED'
    """

    error_code = "METHOD_NOT_ALLOWED"


class InternalError(ServiceError):
    """
    The service failed; a caller is told no more than the correlation id, under which the log says why.

    >>> InternalError.error_code
    'INTERNAL_ERROR'
    """

    error_code = "INTERNAL_ERROR"


class NotWrittenError(ServiceError):
    """
    Nothing was written: the cache could not be made to forget what would have been overwritten.

    >>> NotWrittenError.error_code
    'NOT_WRITTEN'
    """

    error_code = "NOT_WRITTEN"


class UnseenWriteError(ServiceError):
    """
    Something was, or may have been, written, and the cache may still hold what was overwritten, until that expires.

    >>> UnseenWriteError.error_code
    'WRITE_UNSEEN'
    """

    error_code = "WRITE_UNSEEN"


class DatabaseError(ServiceError):
    """
    The database could not be opened, or failed in use.

    >>> DatabaseError.error_code
    'DATABASE_ERROR'
    """

    error_code = "DATABASE_ERROR"
