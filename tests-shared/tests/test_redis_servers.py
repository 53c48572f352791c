"""A Redis with settings, a password, TLS; what is missing is skipped, or not, and always told."""

import shutil
import socket
import ssl
from collections.abc import Generator
from pathlib import Path

import pytest

from infra_conformance.engines import REDIS, REQUIRE, VALKEY, EngineMissing, provided
from infra_conformance.servers import EngineSilent, RedisServer, RespError
from infra_conformance.servers.certificates import certificates
from infra_conformance.servers.resp import call

SECRET = "p@ss:w/rd"


@pytest.fixture(scope="module")
def redis() -> Generator[RedisServer]:
    settings = ("maxmemory 2mb", "unixsocket redis.sock", "user ada on >ada ~app:* +@all")
    with provided(RedisServer(*settings, password=SECRET)) as redis:
        yield redis


@pytest.fixture(scope="module")
def encrypted() -> Generator[RedisServer]:
    with provided(RedisServer(tls=True)) as redis:
        yield redis


def test_a_password_is_asked_for_and_in_the_url(redis: RedisServer) -> None:
    assert redis.url == f"redis://:p%40ss%3Aw%2Frd@127.0.0.1:{redis.port}/0"
    assert redis.call("PING") == "PONG"
    with pytest.raises(RespError, match="NOAUTH"):
        call(redis.port, "PING")
    with pytest.raises(RespError, match="WRONGPASS"):
        call(redis.port, "PING", password="guess")


def test_users_are_a_setting(redis: RedisServer) -> None:
    assert redis.call("ACL", "DRYRUN", "ada", "GET", "app:1") == "OK"
    assert "no permissions" in str(redis.call("ACL", "DRYRUN", "ada", "GET", "other"))


def test_a_relative_path_is_in_its_folder(redis: RedisServer) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(redis.folder / "redis.sock"))
        connection.sendall(b"PING\r\n")
        assert connection.recv(64).startswith(b"-NOAUTH")


def test_one_can_be_filled(redis: RedisServer) -> None:
    def fill() -> None:
        for number in range(40):
            redis.call("SET", f"fill:{number}", "x" * 100_000)

    with pytest.raises(RespError, match="OOM"):
        fill()
    assert redis.call("GET", "fill:0") == "x" * 100_000
    redis.call("FLUSHALL")


def test_replies_of_every_kind_are_read(redis: RedisServer) -> None:
    assert redis.call("SET", "kind", "\r\nüber") == "OK"
    script = "return {1, redis.call('GET', 'kind'), {'nested'}, false, {err = 'ERR told'}, {}, ''}"
    assert redis.call("EVAL", script, 0) == [1, "\r\nüber", ["nested"], None, "ERR told", [], ""]
    assert redis.info("replication")["role"] == "master"


def test_one_whose_default_user_is_off_is_there() -> None:
    with provided(RedisServer("user default off")) as redis, pytest.raises(RespError, match="NOAUTH"):
        redis.call("PING")


def test_tls_is_spoken_and_nothing_else(encrypted: RedisServer) -> None:
    assert encrypted.url == f"rediss://127.0.0.1:{encrypted.port}/0"
    assert encrypted.call("PING") == "PONG"
    assert not REDIS.answers(encrypted.port)
    encrypted.kill()
    encrypted.start()
    assert encrypted.call("PING") == "PONG"


def test_the_server_shows_a_certificate_of_its_authority(encrypted: RedisServer, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        call(encrypted.port, "PING", ca=certificates(tmp_path).ca)
    context = ssl.create_default_context(cafile=str(encrypted.ca))
    for host in ("127.0.0.1", "localhost"):
        with (
            socket.create_connection(("127.0.0.1", encrypted.port)) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            assert connection.version() in {"TLSv1.2", "TLSv1.3"}


def test_without_openssl_there_is_no_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with provided(RedisServer()):  # else it cannot be had
        pass
    (tmp_path / REDIS.binary).symlink_to(shutil.which(REDIS.binary) or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineMissing, match="OpenSSL is not to be had") as missing:
        RedisServer(tls=True).__enter__()
    assert missing.value.engine == "OpenSSL"


@pytest.mark.parametrize(
    ("missed", "require", "outcome"),
    [
        ("Redis", "", pytest.skip.Exception),
        ("Redis", "1", pytest.fail.Exception),
        ("OpenSSL", "1", pytest.fail.Exception),
        ("Valkey", "1", pytest.skip.Exception),
    ],
)
def test_what_is_missing_is_skipped_unless_it_is_required(
    missed: str, require: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(REQUIRE, require)
    if missed == "OpenSSL":
        (tmp_path / REDIS.binary).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = VALKEY if missed == "Valkey" else REDIS
    with pytest.raises(BaseException, match=f"{missed} is not to be had: put .* on the PATH") as end:
        provided(RedisServer(engine=engine, tls=missed == "OpenSSL")).__enter__()
    assert end.type is outcome


def test_one_that_is_there_and_fails_is_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    with provided(RedisServer()):  # else it cannot be had
        pass
    monkeypatch.delenv(REQUIRE, raising=False)
    with pytest.raises(BaseException, match="no-such-setting") as end:
        provided(RedisServer("no-such-setting")).__enter__()
    assert end.type is EngineSilent
    with pytest.raises(BaseException, match="later") as end, provided(RedisServer()):
        raise EngineMissing("later", "Redis")
    assert end.type is EngineMissing


def test_a_redis_or_a_valkey_is_used(standalone_url: str, request: pytest.FixtureRequest) -> None:
    engine = {"redis": REDIS, "valkey": VALKEY}[request.node.callspec.params["standalone_url"]]
    assert engine.answers(int(standalone_url.removesuffix("/0").rpartition(":")[2]))


def test_a_redis_does_not_pass_for_a_valkey() -> None:
    with provided(RedisServer()) as redis:
        assert REDIS.answers(redis.port)
        assert not VALKEY.answers(redis.port)
