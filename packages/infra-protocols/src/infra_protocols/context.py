"""
What belongs to the request at hand, carried by context variables rather than by arguments.

>>> from infra_protocols import InfrastructureError
>>> token = correlation_id.set("req-7")
>>> InfrastructureError("boom").correlation_id
'req-7'
>>> correlation_id.reset(token)
"""

from contextvars import ContextVar
from typing import Final

correlation_id: Final[ContextVar[str | None]] = ContextVar("correlation_id", default=None)
"""The id that ties together what one request causes; every `InfrastructureError` takes it up by itself."""
