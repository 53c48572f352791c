"""What goes wrong with a cache."""

from infra_protocols.errors.base import InfrastructureError


class CacheError(InfrastructureError):
    """
    A cache could not do what it was asked.

    >>> CacheError.error_code
    'CACHE_ERROR'
    """

    error_code = "CACHE_ERROR"


class CacheUnavailableError(CacheError, ConnectionError):
    """
    The engine of a cache did not answer, or not in time; whether what was asked for has happened is not known.

    >>> CacheUnavailableError.error_code
    'CACHE_UNAVAILABLE'
    """

    error_code = "CACHE_UNAVAILABLE"


class CacheRefusedError(CacheError):
    """
    The engine of a cache answered that it will not do what was asked: it is full, for one.

    >>> CacheRefusedError.error_code
    'CACHE_REFUSED'
    """

    error_code = "CACHE_REFUSED"


class CacheTypeError(CacheError, TypeError):
    """
    What is kept under a typed key is of another type than the key says.

    >>> CacheTypeError.error_code
    'CACHE_TYPE_ERROR'
    """

    error_code = "CACHE_TYPE_ERROR"


class LoadCycleError(CacheError, RuntimeError):
    """
    A loader asked, itself or through others, for the value that it is there to load.

    >>> LoadCycleError.error_code
    'CACHE_LOAD_CYCLE'
    """

    error_code = "CACHE_LOAD_CYCLE"


class LoadCancelledError(CacheError):
    """
    A loader was cancelled by something other than the callers that waited for it.

    >>> LoadCancelledError.error_code
    'CACHE_LOAD_CANCELLED'
    """

    error_code = "CACHE_LOAD_CANCELLED"
