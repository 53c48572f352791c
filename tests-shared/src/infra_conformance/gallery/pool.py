"""The gallery of `ConnectionPoolProtocol`: one pool for each way to be wrong."""

from typing import Final

from infra_conformance.gallery import pool_faults, pool_lending, pool_life
from infra_conformance.gallery.fault import Fault

FAULTS: Final[list[Fault]] = [*pool_lending.FAULTS, *pool_faults.FAULTS, *pool_life.FAULTS]
