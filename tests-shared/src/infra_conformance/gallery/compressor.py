"""The gallery of `Compressor`: one compressor for each way to be wrong."""

from typing import Final

from infra_conformance.gallery import compressor_data, compressor_state
from infra_conformance.gallery.fault import Fault

FAULTS: Final[list[Fault]] = [*compressor_data.FAULTS, *compressor_state.FAULTS]
