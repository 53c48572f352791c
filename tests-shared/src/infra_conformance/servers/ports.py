"""Ports that stay one's own, also while nothing listens there."""

import errno
import os
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from random import SystemRandom
from typing import Final

# Below the ports that systems give to outgoing connections: one of those could take the port of a server that is down.
_PORTS: Final = range(20_000, 32_000)
_TRIES: Final = 100
_random: Final = SystemRandom()


@contextmanager
def reserved() -> Generator[int]:
    """
    Yield a free TCP port of 127.0.0.1 that no other process gets from here, until this ends or the process does.

    >>> with reserved() as port:
    ...     is_free(port)
    True

    Raises:
        OSError: no port is free.
    """
    for _ in range(_TRIES):
        with ExitStack() as stack:
            port = _random.choice(_PORTS)
            # UDP has ports of its own: to bind this one marks the number as taken and leaves TCP to the server.
            mark = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            try:
                mark.bind(("127.0.0.1", port))
            except OSError:
                continue
            if is_free(port):
                yield port
                return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def is_free(port: int) -> bool:
    """Return whether a server could listen at this TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that are long closed do not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
