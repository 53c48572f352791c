"""Compressing what is worth it, as the other side wants it, and decompressing what may be hostile."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from infra_compress._arguments import whole_number
from infra_compress._padding import PaddedCompressor, can_pad
from infra_compress.codings import IDENTITY, canonical
from infra_compress.config import CompressionConfig
from infra_compress.content_types import ContentTypes
from infra_compress.factory import CompressorConfig, CompressorFactory
from infra_compress.messages import CompressMessages
from infra_compress.negotiation import join_lines, negotiate
from infra_compress.result import CompressionResult
from infra_protocols import (
    CompressionError,
    Compressor,
    NotAcceptableError,
    UnknownEncodingError,
    ValidationError,
    or_raise,
    require_type,
)
from infra_result import Err, Ok, Result


@dataclass(frozen=True, slots=True)
class CompressionRequest:
    """
    What `CompressionService.execute` is asked.

    Raises:
        ValidationError: `data` is not `bytes`.

    >>> CompressionRequest(b"data", "gzip").accept_encoding
    'gzip'
    """

    data: bytes
    accept_encoding: str | None = None
    content_type: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is not bytes."""
        or_raise(require_type(self.data, "data", bytes))


class CompressionService:
    """
    Compresses by what the other side accepts, and decompresses within bounds.

    It is a `Service[CompressionRequest, CompressionResult]`. It keeps nothing between two calls, and may be used by any
    number of tasks and threads.

    Args:
        config: what to offer, and for what.
        factory: makes the compressors.

    Raises:
        CompressionError: a coding of `config.encodings` cannot be made.
        ValidationError: a coding has no such level, or cannot be padded.

    >>> service = CompressionService()
    >>> result = service.compress(b"hello " * 1000, accept_encoding="gzip, br;q=0.9").unwrap()
    >>> result.encoding, result.original_size, result.savings > 0.99
    ('gzip', 6000, True)
    >>> service.decompress(result.data, "gzip").map(len)
    Ok(6000)
    >>> print(service.decompress(result.data, "gzip", max_size=5000).unwrap_err().message)
    Decompressed, this would be larger than 5000 bytes
    """

    def __init__(self, config: CompressionConfig | None = None, factory: CompressorFactory | None = None) -> None:
        self._config = CompressionConfig() if config is None else config
        self._content_types = ContentTypes(self._config.content_types)
        self._compressors = _compressors(self._config, CompressorFactory() if factory is None else factory)
        self._encodings = tuple(self._compressors)

    @property
    def config(self) -> CompressionConfig:
        """What it was made with."""
        return self._config

    @property
    def encodings(self) -> tuple[str, ...]:
        """The codings that it offers, the preferred first."""
        return self._encodings

    def compressor(self, encoding: str) -> Result[Compressor, CompressionError]:
        """Return the compressor of a coding, or an `UnknownEncodingError`; the name may be in any case."""
        found = self._compressors.get(canonical(encoding))
        if found is None:
            message = CompressMessages.COMPRESSION_ENCODING_UNKNOWN.format(encoding=encoding)
            return Err(UnknownEncodingError(message, parameters={"encoding": encoding}))
        return Ok(found)

    def compress(
        self, data: bytes, *, accept_encoding: str | Iterable[str] | None = None, content_type: str | None = None
    ) -> Result[CompressionResult, CompressionError | ValidationError]:
        """
        Return `data` as it is to be sent to who sent this `Accept-Encoding`.

        What is too small, of another type, or would not become smaller, is left as it is, under `"identity"`; unless
        plain data is not acceptable. It takes its time: in a coroutine, call `execute`.

        What is an `Err`: that nothing is acceptable (`NotAcceptableError`), and what is not bytes (`ValidationError`).

        Args:
            data: what to send.
            accept_encoding: the header, as for `select_encoding`.
            content_type: what `data` is; `None` is anything that is worth it.
        """
        checked = require_type(data, "data", bytes)
        if isinstance(checked, Err):
            return checked
        plain = CompressionResult(data, IDENTITY, len(data))
        if accept_encoding is None:
            return Ok(plain)
        _, encoding, plain_will_do = negotiate(join_lines(accept_encoding), self._encodings)
        if encoding is None:
            message = CompressMessages.COMPRESSION_NOT_ACCEPTABLE
            return Err(NotAcceptableError(message, operation="compression.compress"))
        if encoding == IDENTITY or (plain_will_do and not self._is_worth_it(len(data), content_type)):
            return Ok(plain)
        packed = self._compressors[encoding].compress(data)
        if plain_will_do and len(packed) >= len(data):
            return Ok(plain)
        return Ok(CompressionResult(packed, encoding, len(data)))

    async def execute(self, input: CompressionRequest) -> Result[CompressionResult, CompressionError]:
        """
        Do what `compress` does, in a thread where `input.data` is large.

        What is an `Err`: that nothing is acceptable (`NotAcceptableError`).
        """
        work = partial(
            self.compress,
            input.data,
            accept_encoding=input.accept_encoding,
            content_type=input.content_type,
        )
        inline = len(input.data) <= self._config.inline_size
        result = work() if inline else await asyncio.get_running_loop().run_in_executor(None, work)
        return result.map_err(_no_bad_argument)

    def decompress(
        self, data: bytes, encoding: str, *, max_size: int | None = None
    ) -> Result[bytes, CompressionError | ValidationError]:
        """
        Return what `data` was before it was compressed; in a coroutine, run it in a thread.

        What is an `Err`: data that is cut short, damaged or followed by something else (`CorruptDataError`), more
        than `max_size` bytes (`OutputTooLargeError`), a coding that is not offered (`UnknownEncodingError`), and bad
        arguments (`ValidationError`).

        Args:
            data: all of what was compressed.
            encoding: its `Content-Encoding`, in any case.
            max_size: how many bytes may come of it; `None` is what the configuration says.
        """
        checked = require_type(data, "data", bytes)
        if isinstance(checked, Err):
            return checked
        name = require_type(encoding, "encoding", str)
        if isinstance(name, Err):
            return name
        size = whole_number(self._config.max_size if max_size is None else max_size, "max_size")
        if isinstance(size, Err):
            return size
        found = self.compressor(encoding)
        if isinstance(found, Err):
            return found
        try:
            return Ok(found.value.decompress(data, max_size=size.value))
        except CompressionError as error:
            return Err(error)

    def _is_worth_it(self, size: int, content_type: str | None) -> bool:
        return size >= self._config.minimum_size and (content_type is None or content_type in self._content_types)


def _compressors(config: CompressionConfig, factory: CompressorFactory) -> dict[str, Compressor]:
    if config.encodings is None:
        names = [name for name in factory.available() if not config.padding or can_pad(name)]
    else:
        names = [canonical(name) for name in config.encodings]
    levels = {canonical(name): level for name, level in config.levels.items()}
    made = {name: or_raise(factory.create(CompressorConfig(name, levels.get(name)))) for name in names}
    if not config.padding:
        return made
    for name in names:
        if not can_pad(name):
            message = CompressMessages.CANNOT_BE_PADDED.format(encoding=name)
            raise ValidationError(message, field="padding", kind="int")
    return {name: PaddedCompressor(compressor, config.padding) for name, compressor in made.items()}


def _no_bad_argument(error: CompressionError | ValidationError) -> CompressionError:
    if isinstance(error, CompressionError):
        return error
    raise error  # a request has been looked at before
