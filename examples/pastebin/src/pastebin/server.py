"""The `pastebin` command: serves pastes over HTTP until it is told to stop."""

import argparse
import asyncio
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Final

import uvicorn

from infra_protocols import SystemClock
from pastebin.app import create_app
from pastebin.engines import add_engine_options, check_engine_options, open_engines
from pastebin.errors import DatabaseError
from pastebin.followers import following
from pastebin.health import create_health
from pastebin.messages import PastebinMessages
from pastebin.service import PasteService

SHUTDOWN_TIMEOUT: Final = 10
"""How many seconds the requests at hand have to end when the server is told to stop."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, by default those of the process, and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    check_engine_options(parser, options)
    try:
        listener = _listen(options.host, options.port)
    except OSError as error:
        return _fail(PastebinMessages.CANNOT_LISTEN.format(reason=error.strerror))
    with listener:
        try:
            asyncio.run(_serve(options, listener))
        except DatabaseError as error:
            return _fail(error.message)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pastebin", description="Serve pastes over HTTP.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8000, help="port, 0 for a free one (default: %(default)s)")
    add_engine_options(parser)
    return parser


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(PastebinMessages.NOT_A_PORT.format(value=text))
    return int(text)


def _listen(host: str, port: int) -> socket.socket:
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


async def _serve(options: argparse.Namespace, listener: socket.socket) -> None:
    async with open_engines(options) as engines, following(engines.pastes, engines.open_broker):
        service = PasteService(engines.pastes, engines.cache, SystemClock())
        app = create_app(service, engines.sessions, create_health(engines.pastes, engines.cache))
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_level="warning",
            timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
        )
        server = uvicorn.Server(config)

        # uvicorn handles these signals while it runs. When it has stopped, it raises them anew for the
        # handlers it found before, and the default ones would end the process as if it had been killed.
        def stop(*_: object) -> None:
            server.should_exit = True

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        sys.stdout.write(f"pastebin is at {_address(options.host, listener)} (Ctrl+C stops it)\n")
        sys.stdout.flush()
        await server.serve(sockets=[listener])


def _address(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _fail(message: str) -> int:
    sys.stderr.write(f"pastebin: {message}\n")
    return 1
