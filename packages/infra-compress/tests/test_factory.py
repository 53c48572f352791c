"""Which codings there are, and what is told of those that are not."""

import subprocess
import sys
from typing import Any

import pytest

from infra_compress import CompressorConfig, CompressorFactory, DeflateCompressor, GzipCompressor
from infra_compress.brotli import BrotliCompressor
from infra_compress.isal import IsalGzipCompressor
from infra_compress.zlib_ng import ZlibNgGzipCompressor
from infra_compress.zstd import ZstdCompressor
from infra_protocols import Compressor, EncodingUnavailableError, Factory, UnknownEncodingError, ValidationError
from infra_result import Ok


@pytest.fixture
def factory() -> CompressorFactory:
    return CompressorFactory()


class Rot(GzipCompressor):
    """Stands for a coding of somebody else."""

    ENCODING = "rot"


def missing(level: int | None) -> Compressor:
    raise ImportError("no such library", name="lz")


@pytest.mark.parametrize(
    ("encoding", "kind", "level"),
    [
        ("gzip", GzipCompressor, 4),
        ("x-gzip", GzipCompressor, 4),
        ("GZIP", GzipCompressor, 4),
        ("deflate", DeflateCompressor, 4),
        ("br", BrotliCompressor, 4),
        ("zstd", ZstdCompressor, 3),
    ],
)
def test_its_own_codings_have_sane_levels(
    factory: CompressorFactory, encoding: str, kind: type[Any], level: int
) -> None:
    made: Any = factory.create(CompressorConfig(encoding)).unwrap()
    assert type(made) is kind
    assert made.level == level


def test_it_is_a_factory(factory: CompressorFactory) -> None:
    assert isinstance(factory, Factory)


@pytest.mark.parametrize(
    ("kind", "lowest", "highest"),
    [
        (GzipCompressor, 0, 9),
        (DeflateCompressor, 0, 9),
        (BrotliCompressor, 0, 11),
        (ZstdCompressor, 1, 22),
        (IsalGzipCompressor, 0, 3),
        (ZlibNgGzipCompressor, 0, 9),
    ],
)
def test_a_level_is_one_of_the_coding(factory: CompressorFactory, kind: type[Any], lowest: int, highest: int) -> None:
    encoding = kind().encoding
    factory.register(encoding, kind)
    for level in (lowest, highest):
        made: Any = factory.create(CompressorConfig(encoding, level)).unwrap()
        assert made.level == level
        assert made.decompress(made.compress(b"data" * 100)) == b"data" * 100
    wrong: Any
    for wrong in (lowest - 1, highest + 1, 2.0, "2", True):
        error = factory.create(CompressorConfig(encoding, wrong)).unwrap_err()
        assert isinstance(error, ValidationError)
        assert error.field == "level"


def test_a_coding_that_is_not_known_is_an_err(factory: CompressorFactory) -> None:
    error = factory.create(CompressorConfig("lz")).unwrap_err()
    assert isinstance(error, UnknownEncodingError)
    assert error.parameters["encoding"] == "lz"


@pytest.mark.parametrize("encoding", ["identity", "*", "", "gzip, br"])
def test_what_is_no_coding_is_not_known(factory: CompressorFactory, encoding: str) -> None:
    assert isinstance(factory.create(CompressorConfig(encoding)).unwrap_err(), UnknownEncodingError)


def test_a_library_that_is_missing_is_an_err(factory: CompressorFactory) -> None:
    factory.register("lz", missing, priority=99)
    error = factory.create(CompressorConfig("lz")).unwrap_err()
    assert isinstance(error, EncodingUnavailableError)
    assert isinstance(error.__cause__, ImportError)
    assert "lz" not in factory.available()
    assert factory.create_default().unwrap().encoding == "zstd"


def test_a_coding_is_registered_at_run_time(factory: CompressorFactory) -> None:
    factory.register("ROT", Rot)
    assert factory.create(CompressorConfig("rot")) != factory.create(CompressorConfig("gzip"))
    assert isinstance(factory.create(CompressorConfig("rot", 9)), Ok)
    assert factory.available() == ("zstd", "br", "gzip", "deflate", "rot")
    assert "rot" not in CompressorFactory().available()


@pytest.mark.parametrize(
    ("priority", "order"),
    [
        (99, ("rot", "zstd", "br", "gzip", "deflate")),
        (25, ("zstd", "br", "rot", "gzip", "deflate")),
        (-1, ("zstd", "br", "gzip", "deflate", "rot")),
    ],
)
def test_the_priority_orders(factory: CompressorFactory, priority: int, order: tuple[str, ...]) -> None:
    factory.register("rot", Rot, priority=priority)
    assert factory.available() == order
    assert factory.create_default().unwrap().encoding == order[0]


def test_what_replaces_a_coding_takes_its_place(factory: CompressorFactory) -> None:
    factory.register("gzip", IsalGzipCompressor)
    assert factory.available() == ("zstd", "br", "gzip", "deflate")
    assert isinstance(factory.create(CompressorConfig("gzip")).unwrap(), IsalGzipCompressor)
    factory.register("gzip", IsalGzipCompressor, priority=50)
    assert factory.available()[0] == "gzip"


@pytest.mark.parametrize("encoding", ["identity", "*", "", "two words", "gzip;q=1", "ü", None, 7])
def test_a_name_that_is_none_is_refused(factory: CompressorFactory, encoding: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        factory.register(encoding, Rot)
    assert refused.value.field == "encoding"


def test_what_makes_nothing_is_refused(factory: CompressorFactory) -> None:
    wrong: Any = "gzip"
    with pytest.raises(ValidationError, match="build"):
        factory.register("rot", wrong)
    with pytest.raises(ValidationError, match="priority"):
        factory.register("rot", Rot, priority=wrong)


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [
        ("brotli", "brotli", "brotli"),
        ("zstd", "compression" if sys.version_info >= (3, 14) else "backports", "zstd"),
        ("isal", "isal", "isal"),
        ("zlib_ng", "zlib_ng", "zlib-ng"),
    ],
)
def test_a_missing_extra_is_named(module: str, library: str, extra: str) -> None:
    code = f"import sys; sys.modules[{library!r}] = None; import infra_compress; import infra_compress.{module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"pip install infra-compress[{extra}]" in done.stderr


def test_without_any_extra_there_are_gzip_and_deflate() -> None:
    code = (
        "import sys; sys.modules |= dict.fromkeys(['brotli', 'backports', 'compression', 'isal', 'zlib_ng']);"
        "from infra_compress import CompressionService, CompressorConfig, CompressorFactory;"
        "error = CompressorFactory().create(CompressorConfig('br')).unwrap_err();"
        "print(CompressionService().encodings, error.error_code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "('gzip', 'deflate') COMPRESSION_ENCODING_UNAVAILABLE\n"
