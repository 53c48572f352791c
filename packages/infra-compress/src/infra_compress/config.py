"""What can be chosen about compression."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from infra_compress._arguments import whole_number
from infra_compress.codings import require_coding
from infra_compress.content_types import COMPRESSIBLE
from infra_protocols import or_raise, require_range, require_text

MAX_PADDING: Final = 256
"""How many bytes of padding there may be at most."""


@dataclass(frozen=True, slots=True)
class CompressionConfig:
    """
    How a service compresses and decompresses.

    Raises:
        ValidationError: a value is of another type, or out of its range.

    >>> CompressionConfig(encodings=("br", "gzip"), levels={"br": 5}).minimum_size
    500
    """

    encodings: tuple[str, ...] | None = None
    """The codings to offer, the preferred first; `None` is all that the factory can make, in its order."""
    levels: Mapping[str, int] = field(default_factory=dict[str, int])
    """The level of each coding that is not to have its default."""
    minimum_size: int = 500
    """What is smaller, in bytes, is left as it is: it fits into a packet with its headers."""
    content_types: tuple[str, ...] = COMPRESSIBLE
    """What is compressed: `type/subtype`, `type/*` or `*+suffix`."""
    max_size: int = 16 * 1024 * 1024
    """How many bytes may come of what is decompressed."""
    flush_delay: float = 0.1
    """How many seconds a compressor may keep what it was given of a body that goes on; 0 is not at all."""
    inline_size: int = 128 * 1024
    """What is larger, in bytes, is compressed in a thread, so that the event loop goes on meanwhile."""
    padding: int = 0
    """
    How many bytes are added at most, of a random number each time, to hide how well a body compresses.

    That is a measure against BREACH (Gluck, Harris and Prado, 2013): who can have a body reflect guesses at a secret in
    it, and see its size, learns the secret. Noise makes this take many times as long, and no more: keep secrets out of
    such bodies. Codings that cannot be padded, as deflate, are not offered then. 0 is for none; at most `MAX_PADDING`.
    """

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name in (*(self.encodings or ()), *self.levels):
            or_raise(require_coding(name, "encodings"))
        for name in self.content_types:
            or_raise(require_text(name, "content_types"))
        for name in ("minimum_size", "max_size", "inline_size"):
            or_raise(whole_number(getattr(self, name), name))
        or_raise(require_range(self.flush_delay, "flush_delay", min=0))
        or_raise(whole_number(self.padding, "padding", max=MAX_PADDING))
