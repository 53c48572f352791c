"""What goes wrong with a task."""

from infra_protocols.errors.service import ServiceError


class TaskError(ServiceError):
    """
    A background task could not be queued, run or settled.

    >>> TaskError.error_code
    'TASK_ERROR'
    """

    error_code = "TASK_ERROR"
