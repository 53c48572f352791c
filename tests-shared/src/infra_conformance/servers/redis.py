"""Redis and Valkey, and a server of them with settings of one's own."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final, override
from urllib.parse import quote

from infra_conformance.servers.certificates import certificates
from infra_conformance.servers.engine import Engine
from infra_conformance.servers.resp import Reply, RespError, call, fields
from infra_conformance.servers.server import Server


def _configured(port: int, folder: Path, settings: Iterable[str] = ()) -> list[str]:
    # A primary that ends need not wait for its replicas: in tests they may be gone, or paused.
    own = [
        "bind 127.0.0.1",
        f"port {port}",
        f'dir "{folder}"',
        'save ""',
        "shutdown-timeout 0",
        "repl-diskless-sync-delay 0",
    ]
    file = folder / "redis.conf"
    file.write_text("\n".join([*own, *settings, ""]), encoding="utf-8")
    return [str(file)]


def _redis_answers(port: int) -> bool:
    try:
        return call(port, "PING", seconds=1.0) == "PONG"
    except (OSError, RespError):
        return False


def _valkey_answers(port: int) -> bool:
    try:
        return "valkey_version" in fields(call(port, "INFO", "server", seconds=1.0))
    except (OSError, RespError):
        return False


REDIS: Final = Engine(
    name="Redis",
    variable="INFRA_REDIS_URL",
    port=6379,
    binary="redis-server",
    scheme="redis",
    arguments=_configured,
    answers=_redis_answers,
)
"""Redis; one that is found at the usual port may be a Valkey."""

VALKEY: Final = replace(
    REDIS, name="Valkey", variable="INFRA_VALKEY_URL", binary="valkey-server", answers=_valkey_answers
)
"""Valkey, and nothing else."""


class RedisServer(Server):
    """
    A standalone Redis or Valkey, which keeps nothing on disk unless its settings say so.

    Its settings are lines of `redis.conf`::

        with RedisServer("maxmemory 2mb", "appendonly yes") as server:
            server.call("SET", "key", "value")

    Args:
        settings: see above. A relative path in them starts at the server's folder: with `"unixsocket redis.sock"` it
            listens at `server.folder / "redis.sock"` too.
        password: what the default user has to say.
        tls: speak TLS only, with a certificate for 127.0.0.1 and localhost that the one at `ca` vouches for.
        engine: `REDIS` or `VALKEY`.

    Attributes:
        ca: the certificate to trust, when there is TLS.

    Raises:
        EngineMissing: on entering: its program is not there; with TLS, `openssl` too.
        EngineSilent: on entering: it does not start with these settings.
    """

    ca: Path | None = None

    def __init__(self, *settings: str, password: str | None = None, tls: bool = False, engine: Engine = REDIS) -> None:
        scheme = "rediss" if tls else "redis"
        super().__init__(replace(engine, scheme=scheme, arguments=self._arguments, answers=self._answers))
        self._settings = settings
        self._password = password
        self._tls = tls

    @property
    @override
    def url(self) -> str:
        """The URL at which it is reached, with its password."""
        plain = super().url
        return plain if self._password is None else plain.replace("://", f"://:{quote(self._password, safe='')}@")

    def call(self, *words: str | int) -> Reply:
        """
        Send one command as the default user, over a connection of its own; it blocks.

        Raises:
            RespError: the server refused it.
            OSError: the server does not answer.
        """
        return call(self.port, *words, password=self._password, ca=self.ca)

    def info(self, section: str) -> dict[str, str]:
        """Return the fields of a section of `INFO`; it raises what `call` raises."""
        return fields(self.call("INFO", section))

    def _arguments(self, port: int, folder: Path) -> list[str]:
        settings = [*self._settings]
        if self._password is not None:
            settings.append(f"requirepass {self._password}")
        if self._tls:
            made = certificates(folder)
            self.ca = made.ca
            settings += ["port 0", f"tls-port {port}", "tls-auth-clients no", f'tls-ca-cert-file "{made.ca}"']
            settings += [f'tls-cert-file "{made.certificate}"', f'tls-key-file "{made.key}"']
        return _configured(port, folder, settings)

    def _answers(self, port: int) -> bool:
        try:
            return call(port, "PING", password=self._password, ca=self.ca, seconds=1.0) == "PONG"
        except RespError as refusal:
            return str(refusal).startswith("NOAUTH")  # its settings leave the default user nothing
        except OSError:
            return False
