"""Running a suite from code, without pytest."""

from collections.abc import Container
from typing import Any, Final, cast

import hypothesis
from hypothesis import Phase

from infra_conformance.proof import ConformanceFailure
from infra_conformance.suite import Suite

QUICK: Final = hypothesis.settings(database=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
"""Finds out whether a check fails, the same way every time, without making the failure small."""


def examine(
    suite: type[Suite[Any]], ids: Container[str] | None = None, settings: hypothesis.settings = QUICK
) -> dict[str, ConformanceFailure | None]:
    """
    Run the checks of `suite` and return for each id how it failed, or `None` when it passed.

    Checks whose capability the suite declares not to have are not run, and not in the answer.

    Args:
        suite: the suite with the subject.
        ids: which checks to run; by default all.
        settings: the Hypothesis settings to run under.

    >>> from contextlib import asynccontextmanager
    >>> from infra_conformance.gallery.memory_store import MemoryStore
    >>> from infra_conformance.store import StoreSuite
    >>> class Suite(StoreSuite[str, int]):
    ...     @asynccontextmanager
    ...     async def make(self, clock):
    ...         yield MemoryStore(clock)
    >>> examine(Suite, ids=["store-02", "store-05"])
    {'store-05': None, 'store-02': None}
    """
    quick = type(suite.__name__, (suite,), {"settings": lambda self: settings})  # pyright: ignore[reportUnknownLambdaType]
    results: dict[str, ConformanceFailure | None] = {}
    for name, check in suite.checks().items():
        if suite.lacks(check) or (ids is not None and check.id not in ids):
            continue
        results[check.id] = None
        try:
            getattr(cast("Any", quick)(), name)()
        except ConformanceFailure as failure:
            results[check.id] = failure
    return results
