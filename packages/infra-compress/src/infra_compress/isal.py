"""gzip by ISA-L, several times as fast as by zlib."""

from typing import Any, ClassVar, cast

from infra_compress._extras import missing_extra
from infra_compress._zlib import ZlibCodec, ZlibLike

try:
    from isal import isal_zlib
except ImportError as _error:
    raise missing_extra("isal", _error) from _error

__all__ = ["IsalGzipCompressor"]


class IsalGzipCompressor(ZlibCodec):
    """
    The content coding gzip by ISA-L: the answer is a little larger than zlib's, and there in a tenth of the time.

    Args:
        level: from 0 to 3; by default 2.

    Raises:
        ValidationError: there is no such level.

    >>> from infra_compress import CompressorConfig, CompressorFactory
    >>> factory = CompressorFactory()
    >>> factory.register("gzip", IsalGzipCompressor)
    >>> factory.create(CompressorConfig("gzip"))
    Ok(IsalGzipCompressor(2))
    """

    __slots__ = ()

    LEVELS: ClassVar[range] = range(4)
    DEFAULT_LEVEL: ClassVar[int] = 2
    FAILURE: ClassVar[type[Exception]] = cast("type[Exception]", isal_zlib.IsalError)
    ENGINE: ClassVar[ZlibLike] = cast("Any", isal_zlib)
