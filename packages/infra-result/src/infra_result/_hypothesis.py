from functools import partial
from typing import Any, get_args, get_origin

from hypothesis import strategies as st

from infra_result.result import Err, Ok


def register() -> None:
    # Hypothesis calls this through its entry point group. Without it, `Ok[int]` does not resolve.
    for arm in (Ok, Err):
        st.register_type_strategy(arm, partial(_strategy, arm))


def _strategy(arm: type[Any], thing: Any) -> Any:
    if (get_origin(thing) or thing) is not arm:
        # A base class is asked for, such as object: it resolves as it does without this package.
        return NotImplemented
    content: Any = (get_args(thing) or arm.__type_params__)[0]
    return st.builds(arm, st.from_type(content))
