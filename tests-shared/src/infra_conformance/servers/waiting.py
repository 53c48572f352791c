"""Waiting for what an engine does in its own time."""

import time
from collections.abc import Callable

from infra_conformance.messages import ConformanceMessages


def wait_until(condition: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """
    Wait, asking again and again, until `condition` returns what is true; it blocks.

    >>> wait_until(lambda: False, "the moon is blue", seconds=0.01)
    Traceback (most recent call last):
    TimeoutError: the moon is blue: not so within 0.01 s

    Raises:
        TimeoutError: it is not so within that many `seconds`.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(ConformanceMessages.NEVER_SO.format(what=what, seconds=seconds))
        time.sleep(0.02)
