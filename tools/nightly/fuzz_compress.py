"""
What comes from strangers, fuzzed: bytes to be decompressed and Accept-Encoding headers.

The fuzzer is guided by what the code covers (Atheris, on libFuzzer). Each target says what must hold of any input; what
breaks it is printed, and belongs into a test.
"""

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

MAX_SIZE: Final = 1 << 20
"""How many bytes may come of an input."""
LONGEST: Final = 4096
"""How long an input is at most, in bytes."""


def _codecs() -> list[Any]:
    from infra_compress import DeflateCompressor, GzipCompressor
    from infra_compress.brotli import BrotliCompressor
    from infra_compress.isal import IsalGzipCompressor
    from infra_compress.zlib_ng import ZlibNgGzipCompressor
    from infra_compress.zstd import ZstdCompressor

    kinds = (GzipCompressor, DeflateCompressor, BrotliCompressor, ZstdCompressor, IsalGzipCompressor)
    return [kind() for kind in (*kinds, ZlibNgGzipCompressor)]


def _decompress() -> Callable[[bytes], None]:
    """Whole or in chunks, an input gives the same bytes, or is refused; never are they more than `MAX_SIZE`."""
    from infra_protocols import CorruptDataError, OutputTooLargeError
    from infra_protocols.compression import MAX_PIECE

    codecs = _codecs()

    # Which of the two it is may go by the chunks: what is both damaged and too large is one of them first.
    def whole(codec: Any, data: bytes) -> bytes | None:
        try:
            return codec.decompress(data, max_size=MAX_SIZE)
        except (CorruptDataError, OutputTooLargeError):
            return None

    def in_chunks(codec: Any, data: bytes, size: int) -> bytes | None:
        stream, got = codec.decompress_stream(max_size=MAX_SIZE), bytearray()
        try:
            for start in range(0, len(data), size):
                for piece in stream.decompress(data[start : start + size]):
                    assert 0 < len(piece) <= MAX_PIECE
                    got += piece
            stream.finish()
        except (CorruptDataError, OutputTooLargeError):
            return None
        finally:
            assert len(got) <= MAX_SIZE
        return bytes(got)

    def check(data: bytes) -> None:
        if len(data) < 2:
            return
        codec, size, data = codecs[data[0] % len(codecs)], 1 + data[1] * 4, data[2:]
        got = whole(codec, data)
        assert in_chunks(codec, data, size) == got, (codec, size)
        assert codec.decompress(codec.compress(data), max_size=len(data)) == data, codec

    return check


def _select() -> Callable[[bytes], None]:
    """An answer is one that there is, and does not change with what must not matter."""
    from infra_compress import select_encoding

    supported = ("zstd", "br", "gzip", "deflate")
    possible = {*supported, "identity", None}

    def check(data: bytes) -> None:
        header = data.decode("latin-1")
        answer = select_encoding(header, supported)
        assert answer in possible
        if len(header) > LONGEST // 4:
            return
        assert select_encoding(header, list(supported)) == answer
        assert select_encoding([header], supported) == answer
        assert select_encoding(f"{header},{header}", supported) == answer
        assert select_encoding(f"\t{header} , ,", supported) == answer
        for broken in ("gzip;q=x", "*;q=0;", "identity;q=0.0000", "br;q=1.1", "zstd q=1"):
            assert select_encoding(f"{header},{broken}", supported) == answer
            assert select_encoding(f"{broken},{header}", supported) == answer
        if header.isascii():
            assert select_encoding(header.swapcase(), supported) == answer
        if answer is not None:
            assert select_encoding(f"{header},lzma", supported) == answer

    return check


TARGETS: Final[dict[str, Callable[[], Callable[[bytes], None]]]] = {"decompress": _decompress, "select": _select}


def _corpus(target: str) -> list[bytes]:
    """Return inputs to begin with: what is valid, to be damaged."""
    if target == "select":
        return [
            b"gzip, deflate, br, zstd",
            b"br;q=0.5, *;q=0",
            b"identity;q=0",
            b"x-gzip ; Q=0.123,,",
            b"*,gzip;q=1.000",
        ]
    found: list[bytes] = []
    for number, codec in enumerate(_codecs()):
        packed = codec.compress(b"All work and no play makes Jack a dull boy. " * 9)
        stream = codec.compress_stream()
        flushed = stream.compress(b"All work") + stream.flush() + stream.compress(b" and no play") + stream.finish()
        for data in (packed, flushed, packed + flushed, codec.compress(bytes(3 << 20))):
            found.append(bytes([number, 3]) + data)
    return found


def run(seconds: float, seed: int) -> bool:
    """Fuzz each target for `seconds`, print what was found, and say whether that was nothing."""
    if importlib.util.find_spec("atheris") is None:
        print("fuzzing left out: Atheris is not installed (uv run --group nightly)")
        return True
    good = True
    for target in TARGETS:
        with TemporaryDirectory() as folder:
            for number, data in enumerate(_corpus(target)):
                Path(folder, str(number)).write_bytes(data)
            command = [sys.executable, "-m", __name__, target, folder, str(seconds), str(seed)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        told = (done.stdout + done.stderr).strip().splitlines()  # the exception, then what led to it
        print(f"fuzzed {target} (seed {seed}), exit status {done.returncode}", *told[-1:], sep=": ")
        if done.returncode != 0:
            print(*told[:20], *told[-40:], sep="\n")
            good = False
    return good


def _fuzz(target: str, folder: str, seconds: str, seed: str) -> None:
    # Not by an import statement: it is installed for nightly runs alone, and not typed.
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["infra_compress"]):
        check = TARGETS[target]()
    options = [
        f"-max_total_time={float(seconds):.0f}",
        f"-seed={int(seed) % 2**32 or 1}",
        f"-max_len={LONGEST}",
        f"-artifact_prefix={folder}/",
        "-timeout=10",
        "-rss_limit_mb=1024",
    ]
    atheris.Setup([sys.argv[0], *options, folder], check)
    atheris.Fuzz()


if __name__ == "__main__":
    _fuzz(*sys.argv[1:])
