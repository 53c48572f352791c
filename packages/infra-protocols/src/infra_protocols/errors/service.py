"""What goes wrong with a service, in general."""

from infra_protocols.errors.base import InfrastructureError


class ServiceError(InfrastructureError):
    """
    A service could not do what it was asked.

    >>> ServiceError.error_code
    'SERVICE_ERROR'
    """

    error_code = "SERVICE_ERROR"


class EntityExistsError(ServiceError):
    """
    An entity cannot be created: its id is taken.

    >>> EntityExistsError.error_code
    'ENTITY_EXISTS'
    """

    error_code = "ENTITY_EXISTS"


class EntityNotFoundError(ServiceError, LookupError):
    """
    An entity cannot be changed: there is none with its id.

    >>> EntityNotFoundError.error_code
    'ENTITY_NOT_FOUND'
    """

    error_code = "ENTITY_NOT_FOUND"
