"""gzip by zlib-ng, which is faster than zlib at the same size."""

from typing import Any, ClassVar, cast

from infra_compress._extras import missing_extra
from infra_compress._zlib import ZlibCodec, ZlibLike

try:
    from zlib_ng import zlib_ng as _engine
except ImportError as _error:
    raise missing_extra("zlib-ng", _error) from _error

__all__ = ["ZlibNgGzipCompressor"]


class ZlibNgGzipCompressor(ZlibCodec):
    """
    The content coding gzip by zlib-ng: where size counts more than it does for `IsalGzipCompressor`.

    Args:
        level: from 0, which stores, to 9; by default 4.

    Raises:
        ValidationError: there is no such level.

    >>> ZlibNgGzipCompressor(6)
    ZlibNgGzipCompressor(6)
    """

    __slots__ = ()

    FAILURE: ClassVar[type[Exception]] = cast("type[Exception]", _engine.error)
    ENGINE: ClassVar[ZlibLike] = cast("Any", _engine)
