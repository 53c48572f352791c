"""The gallery of `Repository`: one repository for each way to be wrong."""

from typing import Final

from infra_conformance.gallery import repository_answers, repository_concurrency
from infra_conformance.gallery.fault import Fault

FAULTS: Final[list[Fault]] = [*repository_answers.FAULTS, *repository_concurrency.FAULTS]
