"""The gallery of `TokenStoreProtocol`: one store for each way to be wrong."""

from typing import Final

from infra_conformance.gallery import token_concurrency, token_entries, token_rotation
from infra_conformance.gallery.fault import Fault

FAULTS: Final[list[Fault]] = [*token_entries.FAULTS, *token_rotation.FAULTS, *token_concurrency.FAULTS]
