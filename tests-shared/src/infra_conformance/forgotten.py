"""Coroutines that were made and never awaited: Python tells of them in warnings, and only when they are thrown away."""

import gc
import re
import warnings
from typing import ClassVar, Final

YOUNG: Final = 1
"""The generations of the garbage collector to look through: an example does not last long enough for the others."""
OLD: Final = 2


class Forgotten:
    """
    Keeps the warnings of forgotten coroutines, and passes all others on.

    >>> async def nap(): ...
    >>> forgotten = Forgotten()
    >>> forgotten.watch()
    >>> nap() and None
    >>> forgotten.found()
    ["coroutine 'nap' was never awaited"]
    >>> forgotten.release(sound=False)
    """

    _WARNING: Final = re.compile("coroutine .* was never awaited")
    _unsound: ClassVar[bool] = False

    def __init__(self) -> None:
        self._catch = warnings.catch_warnings(record=True)
        self._caught: list[warnings.WarningMessage] = []

    def watch(self) -> None:
        """Begin."""
        self.forgive()
        self._caught = self._catch.__enter__()
        # Where warnings are errors, this one would not be raised but printed: there is nobody to raise it to.
        warnings.filterwarnings("always", message=self._WARNING.pattern, category=RuntimeWarning)

    @classmethod
    def forgive(cls, generation: int = YOUNG) -> None:
        """Throw away what failed examples have left behind: it is not to be told of the next one."""
        if cls._unsound:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                gc.collect(generation)
            cls._unsound = False

    def found(self) -> list[str]:
        """Return what the warnings say."""
        gc.collect(YOUNG)
        return [text for caught in self._caught if self._WARNING.match(text := str(caught.message))]

    def release(self, *, sound: bool) -> None:
        """End; it was `sound` if nothing failed, and so nothing was left for good reason."""
        self._catch.__exit__(None, None, None)
        Forgotten._unsound |= not sound
        for caught in self._caught:
            if not self._WARNING.match(str(caught.message)):
                where = (caught.filename, caught.lineno)
                warnings.warn_explicit(caught.message, caught.category, *where, source=caught.source)
