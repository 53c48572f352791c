"""How long to wait before trying again."""

import random


def full_jitter(attempt: int, base: float, most: float) -> float:
    """
    Return how many seconds to wait before try number `attempt`, counted from 0: anything up to a doubling bound.

    So that those who failed together do not come back together (M. Brooker, "Exponential Backoff And Jitter", 2015).

    Args:
        attempt: how many tries have failed before.
        base: the bound of the first wait, in seconds.
        most: the bound of any, in seconds.

    >>> 0 <= full_jitter(3, base=0.1, most=10) <= 0.8
    True
    """
    # Past the 60th doubling every bound is `most`, and a float would overflow some time.
    return random.uniform(0.0, min(most, base * 2.0 ** min(attempt, 60)))
