"""Which codings there are, and how each is made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from infra_compress.codings import IDENTITY, canonical, require_coding
from infra_compress.deflate import DeflateCompressor, GzipCompressor
from infra_compress.messages import CompressMessages
from infra_protocols import (
    CompressionError,
    Compressor,
    EncodingUnavailableError,
    UnknownEncodingError,
    ValidationError,
    or_raise,
    require_type,
)
from infra_result import Err, Ok, Result

type Build = Callable[[int | None], Compressor]
"""Makes a compressor of a level, which is `None` for its default; what it raises is told by `create`."""


@dataclass(frozen=True, slots=True)
class CompressorConfig:
    """
    Which compressor to make.

    >>> CompressorConfig("br", level=5).level
    5
    """

    encoding: str = "gzip"
    """The name of the coding, in any case."""
    level: int | None = None
    """How hard it tries, in the coding's own numbers; `None` is its default."""


class _Entry(NamedTuple):
    build: Build
    priority: int


class CompressorFactory:
    """
    Makes compressors; knows zstd, br, gzip and deflate, preferred in this order, and whatever is registered.

    It is a `Factory[CompressorConfig, Result[Compressor, ...]]`. Each factory has codings of its own.

    >>> factory = CompressorFactory()
    >>> factory.create(CompressorConfig("gzip", level=6))
    Ok(GzipCompressor(6))
    >>> print(factory.create(CompressorConfig("lzma")).unwrap_err())
    There is no content coding lzma [operation='compression.create', encoding='lzma']
    >>> print(factory.create(CompressorConfig("gzip", level=10)).unwrap_err().message)
    level must be between 0 and 9
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self.register("zstd", _zstd, priority=40)
        self.register("br", _brotli, priority=30)
        self.register("gzip", GzipCompressor, priority=20)
        self.register("deflate", DeflateCompressor, priority=10)

    def register(self, encoding: str, build: Build, *, priority: int | None = None) -> None:
        """
        Add a coding, or put another implementation in the place of one that is there.

        Args:
            encoding: the name of the coding; case does not matter.
            build: makes its compressors.
            priority: codings of a higher one are preferred, where the client has no preference; those of the factory
                itself have 40 (zstd), 30, 20 and 10 (deflate). By default that of what is replaced, else 0.

        Raises:
            ValidationError: `encoding` cannot be the name of a coding, or an argument is of another type.
        """
        name = or_raise(require_coding(encoding, "encoding"))
        if not callable(build):
            message = CompressMessages.VALIDATION_WRONG_KIND.format(field="build", expected="a function")
            raise ValidationError(message, field="build", kind=type(build).__name__)
        if priority is None:
            known = self._entries.get(name)
            priority = 0 if known is None else known.priority
        self._entries[name] = _Entry(build, or_raise(require_type(priority, "priority", int)))

    def create(self, config: CompressorConfig) -> Result[Compressor, CompressionError | ValidationError]:
        """
        Return a new compressor made to `config`.

        What is an `Err`: a coding that was not registered (`UnknownEncodingError`), one whose library is not installed
        (`EncodingUnavailableError`, with the `ImportError` as its cause), a level that it does not have, or a name
        that is none (`ValidationError`).
        """
        name = require_type(config.encoding, "encoding", str).map(canonical)
        if isinstance(name, Err):
            return name
        return self._create(name.value, config.level)

    def create_default(self) -> Result[Compressor, CompressionError | ValidationError]:
        """
        Return a new compressor of the coding that is preferred among those that can be made here.

        >>> CompressorFactory().create_default().map(lambda compressor: compressor.encoding)
        Ok('zstd')
        """
        return self._create(next(iter(self.available()), IDENTITY), None)

    def available(self) -> tuple[str, ...]:
        """
        Return the names of the codings that can be made here, the preferred first.

        >>> CompressorFactory().available()
        ('zstd', 'br', 'gzip', 'deflate')
        """
        by_priority = sorted(self._entries, key=lambda name: -self._entries[name].priority)
        return tuple(name for name in by_priority if self._create(name, None).is_ok())

    def _create(self, encoding: str, level: int | None) -> Result[Compressor, CompressionError | ValidationError]:
        told = {"encoding": encoding}
        entry = self._entries.get(encoding)
        if entry is None:
            message = CompressMessages.COMPRESSION_ENCODING_UNKNOWN.format(encoding=encoding)
            return Err(UnknownEncodingError(message, operation="compression.create", parameters=told))
        try:
            return Ok(entry.build(level))
        except ImportError as missing:
            message = CompressMessages.COMPRESSION_ENCODING_UNAVAILABLE.format(encoding=encoding)
            error = EncodingUnavailableError(message, operation="compression.create", parameters=told)
            error.__cause__ = missing
            return Err(error)
        except ValidationError as refused:
            return Err(refused)


def _zstd(level: int | None) -> Compressor:
    from infra_compress.zstd import ZstdCompressor

    return ZstdCompressor(level)


def _brotli(level: int | None) -> Compressor:
    from infra_compress.brotli import BrotliCompressor

    return BrotliCompressor(level)
