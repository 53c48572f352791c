"""What a subject logs, told apart from what else is logged in the same process at the same time."""

import gc
import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def logged() -> Generator[list[str]]:
    """
    Collect what is logged as a warning, or as something worse, with its traceback; but not by others.

    Others are the threads of what runs beside the subject, asyncio, and what earlier subjects have left behind, which
    may speak up as it is thrown away: meanwhile no garbage is collected.

    >>> with logged() as records:
    ...     logging.getLogger("infra").warning("%s left", 3)
    >>> records
    ['3 left']
    """
    records: list[str] = []
    formatter = logging.Formatter()
    here = threading.get_ident()

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name != "asyncio" and threading.get_ident() == here:
                records.append(formatter.format(record))

    handler = Collect(logging.WARNING)
    collects = gc.isenabled()
    gc.disable()
    logging.getLogger().addHandler(handler)
    try:
        yield records
    finally:
        logging.getLogger().removeHandler(handler)
        if collects:
            gc.enable()
