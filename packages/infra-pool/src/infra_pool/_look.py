"""One look at a socket."""

import select


def has_news(socket: int) -> bool:
    """Say, without waiting, whether there is anything to read: data, or that the other side has hung up."""
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))
