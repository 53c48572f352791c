"""gzip and deflate, by the zlib of the standard library."""

from typing import ClassVar

from infra_compress._zlib import ZLIB_WRAPPED, ZlibCodec


class GzipCompressor(ZlibCodec):
    """
    The content coding gzip (RFC 1952), which every client knows.

    Neither a time nor a name is written: the same data gives the same bytes. Several members, one behind another, are
    read to the end of the last.

    Args:
        level: from 0, which stores, to 9. By default 4: 9 takes several times as long for a few per cent.

    Raises:
        ValidationError: there is no such level.

    >>> gzip = GzipCompressor()
    >>> packed = gzip.compress(b"hello " * 100)
    >>> len(packed) < 50, gzip.decompress(packed, max_size=1000) == b"hello " * 100
    (True, True)
    """

    __slots__ = ()


class DeflateCompressor(ZlibCodec):
    """
    The content coding deflate: DEFLATE in the wrapper of zlib (RFC 1950), as RFC 9110, section 8.4.1.2 has it.

    Some clients take it for DEFLATE without a wrapper, so it is what a server should choose last.

    Args:
        level: from 0, which stores, to 9; by default 4.

    Raises:
        ValidationError: there is no such level.

    >>> DeflateCompressor().encoding
    'deflate'
    """

    __slots__ = ()

    ENCODING: ClassVar[str] = "deflate"
    MEMBERS: ClassVar[bool] = False
    WINDOW: ClassVar[int] = ZLIB_WRAPPED
