"""How much memory decompressing takes of the machine, engine included, at the worst that each coding allows."""

import importlib
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MB = 1_000_000
ROOM = {"br": 18 * MB}  # a window of brotli may be 16 MiB large (RFC 7932, section 9.1)
UNIT = bytes(1 << 20)
UNITS = 100
PEAK = Path("/proc/self/status")

pytestmark = pytest.mark.skipif(not PEAK.exists(), reason="the system does not tell the peak of a process")

MEASURE = """
import sys
from pathlib import Path
from infra_compress import CompressorConfig, CompressorFactory
from infra_compress.isal import IsalGzipCompressor
from infra_compress.zlib_ng import ZlibNgGzipCompressor
from infra_protocols import OutputTooLargeError

def peak():
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024

name, bound, bomb = sys.argv[1], int(sys.argv[2]), sys.stdin.buffer.read()
engines = {"isal": IsalGzipCompressor, "zlib-ng": ZlibNgGzipCompressor}
made = engines[name]() if name in engines else CompressorFactory().create(CompressorConfig(name)).unwrap()
made.decompress(made.compress(b"warm"))
before = peak()
try:
    made.decompress(bomb, max_size=bound)
except OutputTooLargeError:
    print(peak() - before)
"""


def fed(compress: Callable[[bytes], bytes], finish: Callable[[], bytes]) -> bytes:
    return b"".join(compress(UNIT) for _ in range(UNITS)) + finish()


def gzip_bomb() -> bytes:
    made = zlib.compressobj(9, zlib.DEFLATED, 31)
    return fed(made.compress, made.flush)


def deflate_bomb() -> bytes:
    made = zlib.compressobj(9, zlib.DEFLATED, 15)
    return fed(made.compress, made.flush)


def br_bomb() -> bytes:
    brotli: Any = importlib.import_module("brotli")  # which is not typed
    made = brotli.Compressor(quality=5, lgwin=24)  # the largest window there is
    return fed(made.process, made.finish)


def zstd_bomb() -> bytes:
    parameter = zstd.CompressionParameter
    made = zstd.ZstdCompressor(options={parameter.compression_level: 19, parameter.window_log: 23})
    return fed(made.compress, made.flush)


BOMBS = {
    "gzip": gzip_bomb,
    "isal": gzip_bomb,
    "zlib-ng": gzip_bomb,
    "deflate": deflate_bomb,
    "br": br_bomb,
    "zstd": zstd_bomb,
}


@pytest.mark.parametrize("bound", [0, MB, 64 * MB])
@pytest.mark.parametrize("name", BOMBS)
def test_an_attack_takes_max_size_and_a_window(name: str, bound: int) -> None:
    command = [sys.executable, "-c", MEASURE, name, str(bound)]
    done = subprocess.run(command, input=BOMBS[name](), capture_output=True, check=True)
    assert 0 <= int(done.stdout) <= bound + ROOM.get(name, 16 * MB)
