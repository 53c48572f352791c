"""The galleries of health checks: one check, or one composite, for each way to be wrong."""

from typing import Final

from infra_conformance.gallery import health_check, health_runs, health_status
from infra_conformance.gallery.fault import Fault

CHECKS: Final[list[Fault]] = [*health_check.FAULTS]
COMPOSITES: Final[list[Fault]] = [*health_status.FAULTS, *health_runs.FAULTS]
