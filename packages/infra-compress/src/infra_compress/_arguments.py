"""The checks of arguments that more than one module here makes."""

import math

from infra_protocols import ValidationError, require_range, require_type
from infra_result import Result


def whole_number(value: object, field: str, *, min: int = 0, max: float = math.inf) -> Result[int, ValidationError]:
    return require_type(value, field, int).flat_map(lambda number: require_range(number, field, min=min, max=max))
