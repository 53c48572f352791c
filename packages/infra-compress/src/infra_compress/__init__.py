"""Content codings: negotiated to the letter, streamed, and never a bomb."""

from infra_compress.config import CompressionConfig
from infra_compress.content_types import COMPRESSIBLE
from infra_compress.decompression import DecompressionMiddleware
from infra_compress.deflate import DeflateCompressor, GzipCompressor
from infra_compress.factory import CompressorConfig, CompressorFactory
from infra_compress.messages import CompressMessages
from infra_compress.middleware import CompressionMiddleware
from infra_compress.negotiation import select_encoding
from infra_compress.result import CompressionResult
from infra_compress.service import CompressionRequest, CompressionService

__all__ = [
    "COMPRESSIBLE",
    "CompressMessages",
    "CompressionConfig",
    "CompressionMiddleware",
    "CompressionRequest",
    "CompressionResult",
    "CompressionService",
    "CompressorConfig",
    "CompressorFactory",
    "DecompressionMiddleware",
    "DeflateCompressor",
    "GzipCompressor",
    "select_encoding",
]
