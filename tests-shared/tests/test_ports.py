"""A port is one's own until one gives it back."""

import socket

import pytest

from infra_conformance.servers import ports


def test_a_reserved_port_is_free_and_nobody_else_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with ports.reserved() as port:
        monkeypatch.setattr(ports, "_PORTS", range(port, port + 1))
        for _ in range(2):  # whether its server is up or down
            with pytest.raises(OSError, match="in use"), ports.reserved():
                pytest.fail("it was given away twice")
            with socket.create_server(("127.0.0.1", port)):
                assert not ports.is_free(port)
            assert ports.is_free(port)
    with ports.reserved() as again:
        assert again == port


def test_a_port_where_somebody_listens_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(ports, "_PORTS", range(port, port + 1))
        with pytest.raises(OSError, match="in use"), ports.reserved():
            pytest.fail("it was given")
