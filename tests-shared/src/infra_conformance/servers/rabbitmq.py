"""RabbitMQ."""

import signal
import socket
from glob import glob
from pathlib import Path
from typing import Final, override

from infra_conformance.servers.engine import Engine
from infra_conformance.servers.ports import reserved


def _environment(port: int, folder: Path) -> dict[str, str]:
    # Without a shell of Erlang, and in the place of the script that starts it: what is killed is the server itself.
    (folder / "rabbitmq.conf").write_text("vm_memory_high_watermark.relative = 0.2\n", encoding="utf-8")
    (folder / "enabled_plugins").write_text("[].\n", encoding="utf-8")
    with reserved() as unused:
        pass  # for other nodes, of which there are none
    return {
        "HOME": str(folder),
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
        "RABBITMQ_DIST_PORT": str(unused),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_NODENAME": f"test-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
    }


def _arguments(port: int, folder: Path) -> list[str]:
    return []


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
    except OSError:
        return False


class _RabbitMQ(Engine):
    __slots__ = ()

    @override
    def program(self) -> str | None:
        """Prefer the script itself to the one that Debian has on the PATH, which becomes another user."""
        return max(glob(f"{self.elsewhere}/{self.binary}"), default=None) or Engine.program(self)


RABBITMQ: Final = _RabbitMQ(
    name="RabbitMQ",
    variable="INFRA_RABBITMQ_URL",
    port=5672,
    binary="rabbitmq-server",
    scheme="amqp",
    login="guest:guest",
    database="%2F",
    arguments=_arguments,
    answers=_answers,
    environment=_environment,
    elsewhere="/usr/lib/rabbitmq/bin",
    starts_within=60.0,
    ends_at=signal.SIGKILL,
)
"""
RabbitMQ, without plugins.

One that is started looks for other nodes with the help of `epmd`, and starts that at its usual port if it is not there;
it stays when the server has gone.
"""
