"""A `Result` is an `Ok` with a value or an `Err` with an error: failures that callers branch on, as values."""

from infra_result.catch import catch_to_result
from infra_result.errors import UnwrapError
from infra_result.guards import is_err, is_ok
from infra_result.iterables import collect, partition
from infra_result.messages import ResultMessages
from infra_result.result import Err, Ok, Result

__all__ = [
    "Err",
    "Ok",
    "Result",
    "ResultMessages",
    "UnwrapError",
    "catch_to_result",
    "collect",
    "is_err",
    "is_ok",
    "partition",
]
