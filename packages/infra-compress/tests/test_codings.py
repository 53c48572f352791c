"""What each coding is on the wire, and what other implementations make of it."""

import gzip
import shutil
import subprocess
import sys
import zlib
from typing import Any

import pytest

from infra_compress import DeflateCompressor, GzipCompressor
from infra_compress.brotli import BrotliCompressor
from infra_compress.isal import IsalGzipCompressor
from infra_compress.zlib_ng import ZlibNgGzipCompressor
from infra_compress.zstd import ZstdCompressor
from infra_protocols import Compressor, CorruptDataError, OutputTooLargeError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DATA = b"".join(b"%d bottles of beer on the wall\n" % number for number in range(3000))
GZIPS: list[type[Any]] = [GzipCompressor, IsalGzipCompressor, ZlibNgGzipCompressor]
ALL: list[type[Any]] = [*GZIPS, DeflateCompressor, BrotliCompressor, ZstdCompressor]


@pytest.mark.parametrize("kind", GZIPS)
def test_gzip_tells_neither_time_nor_name(kind: type[Any]) -> None:
    packed = kind().compress(DATA)
    assert packed[:4] == b"\x1f\x8b\x08\x00"  # no flags: no name, no comment
    assert packed[4:8] == bytes(4)  # no time
    assert gzip.decompress(packed) == DATA


@pytest.mark.parametrize("kind", GZIPS)
def test_the_gzip_of_others_is_read(kind: type[Any]) -> None:
    assert kind().decompress(gzip.compress(DATA, mtime=1_700_000_000)) == DATA
    named = b"\x1f\x8b\x08\x18" + bytes(6) + b"name\0comment\0" + gzip.compress(DATA)[10:]
    assert kind().decompress(named) == DATA


@pytest.mark.parametrize("kind", GZIPS)
@pytest.mark.parametrize("place", [-1, -5], ids=["size", "checksum"])
def test_the_trailer_of_gzip_is_looked_at(kind: type[Any], place: int) -> None:
    packed = bytearray(kind().compress(DATA))
    packed[place] ^= 1
    with pytest.raises(CorruptDataError):
        kind().decompress(bytes(packed))


def test_deflate_is_wrapped() -> None:
    assert zlib.decompress(DeflateCompressor().compress(DATA)) == DATA
    assert DeflateCompressor().decompress(zlib.compress(DATA)) == DATA
    with pytest.raises(CorruptDataError):
        DeflateCompressor().decompress(zlib.compress(DATA, wbits=-15))


@pytest.mark.parametrize("level", [1, 3, 19, 20, 22])
def test_no_window_of_zstd_is_larger_than_8_mb(level: int) -> None:
    stream = ZstdCompressor(level).compress_stream()
    packed = stream.compress(DATA) + stream.finish()
    # A frame header with a window descriptor (RFC 8878, section 3.1.1.1.2).
    assert not packed[4] & 0b0010_0000
    exponent, mantissa = packed[5] >> 3, packed[5] & 7
    base = 1 << (10 + exponent)
    assert base + base // 8 * mantissa <= 8 * 1024 * 1024
    assert ZstdCompressor().decompress(packed) == DATA


@pytest.mark.parametrize(("log", "taken"), [(23, True), (24, False), (27, False)])
def test_a_larger_window_of_zstd_is_refused(log: int, taken: bool) -> None:
    stream = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
    packed = stream.compress(DATA) + stream.flush()
    if taken:
        assert ZstdCompressor().decompress(packed) == DATA
    else:
        with pytest.raises(CorruptDataError):
            ZstdCompressor().decompress(packed)


def test_skippable_frames_are_passed_over() -> None:
    skipped = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    packed = ZstdCompressor().compress(DATA)
    assert ZstdCompressor().decompress(skipped + packed + skipped) == DATA


@pytest.mark.parametrize("kind", ALL)
def test_many_members_take_no_time_that_grows_with_their_number_squared(kind: type[Any]) -> None:
    compressor: Compressor = kind()
    packed = compressor.compress(b"")
    if not kind.MEMBERS:
        with pytest.raises(CorruptDataError):
            compressor.decompress(packed * 2)
        return
    assert compressor.decompress(packed * 20_000, max_size=0) == b""


# What the fuzzer of tools/nightly has found.
DAMAGED_AND_TOO_LARGE = bytes.fromhex(
    "9bffff72002400e2b140725728c849ac54c866666666666066666666c849ac54c84dcc4e2d66666666666666666066666666"
    "6666666666666666666666666666666666666666666666666666666666662f966666666666666666c86666666666666666ef5f00"
)


@pytest.mark.parametrize("size", [1, 5, 50, 200])
def test_what_is_damaged_and_too_large_is_refused_however_it_comes(size: int) -> None:
    got: list[int] = []

    def read() -> None:
        stream = BrotliCompressor().decompress_stream(max_size=1 << 20)
        for start in range(0, len(DAMAGED_AND_TOO_LARGE), size):
            got.extend(map(len, stream.decompress(DAMAGED_AND_TOO_LARGE[start : start + size])))

    with pytest.raises((CorruptDataError, OutputTooLargeError)):
        read()
    assert sum(got) <= 1 << 20


@pytest.mark.parametrize("kind", ALL)
def test_a_cause_is_told(kind: type[Any]) -> None:
    compressor: Compressor = kind()
    with pytest.raises(CorruptDataError) as refused:
        compressor.decompress(b"\xff" * 100)
    assert isinstance(refused.value.__cause__, kind.FAILURE)
    assert refused.value.parameters == {"encoding": compressor.encoding}


def test_what_is_too_large_tells_the_bound() -> None:
    with pytest.raises(OutputTooLargeError) as refused:
        GzipCompressor().decompress(gzip.compress(DATA), max_size=99)
    assert refused.value.parameters == {"encoding": "gzip", "max_size": 99}


def test_203_bytes_of_brotli_are_no_bomb() -> None:
    compressor = BrotliCompressor(9)
    stream = compressor.compress_stream()
    packed = b"".join(stream.compress(bytes(1 << 20)) for _ in range(256)) + stream.finish()
    assert len(packed) < 1000
    with pytest.raises(OutputTooLargeError):
        compressor.decompress(packed, max_size=1 << 20)


@pytest.mark.parametrize(
    ("program", "kind"), [("gzip", GzipCompressor), ("gzip", IsalGzipCompressor), ("zstd", ZstdCompressor)]
)
def test_the_program_of_that_name_agrees(program: str, kind: type[Any]) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")

    def run(data: bytes, *options: str) -> bytes:
        return subprocess.run([program, "-c", *options], input=data, capture_output=True, check=True).stdout

    assert run(kind().compress(DATA), "-d") == DATA
    assert kind().decompress(run(DATA) + run(DATA)) == DATA * 2
