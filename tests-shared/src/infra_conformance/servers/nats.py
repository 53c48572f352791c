"""NATS."""

import socket
from pathlib import Path
from typing import Final

from infra_conformance.servers.engine import Engine


def _configured(port: int, folder: Path) -> list[str]:
    return ["--addr", "127.0.0.1", "--port", str(port), "--jetstream", "--store_dir", str(folder)]


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            return connection.recv(5) == b"INFO "
    except OSError:
        return False


NATS: Final = Engine(
    name="NATS",
    variable="INFRA_NATS_URL",
    port=4222,
    binary="nats-server",
    scheme="nats",
    arguments=_configured,
    answers=_answers,
)
"""A NATS server, with JetStream."""
