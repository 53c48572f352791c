"""The gallery of `ConnectionPoolProtocol`: one pool for each way to be wrong."""

from typing import Final

from infra_conformance.gallery import (
    pool_cancel,
    pool_closing,
    pool_dead,
    pool_lending,
    pool_life,
    pool_order,
    pool_outage,
)
from infra_conformance.gallery.fault import Fault

FAULTS: Final[list[Fault]] = [
    *pool_lending.FAULTS,
    *pool_order.FAULTS,
    *pool_outage.FAULTS,
    *pool_dead.FAULTS,
    *pool_life.FAULTS,
    *pool_closing.FAULTS,
    *pool_cancel.FAULTS,
]
