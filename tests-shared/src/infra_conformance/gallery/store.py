"""The gallery of `Store`: one store for each way to be wrong."""

from typing import Final

from infra_conformance.gallery import store_answers, store_concurrency, store_life
from infra_conformance.gallery.fault import Fault

FAULTS: Final[list[Fault]] = [*store_answers.FAULTS, *store_concurrency.FAULTS, *store_life.FAULTS]
