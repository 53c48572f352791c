"""What came of compressing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CompressionResult:
    """
    Data as it is to be sent, and what was saved.

    >>> result = CompressionResult(bytes(25), "gzip", original_size=100)
    >>> result.compressed_size, result.ratio, result.savings
    (25, 4.0, 0.75)
    """

    data: bytes
    encoding: str
    """Its coding, for `Content-Encoding`; `"identity"` is for none, and is not sent."""
    original_size: int
    """How many bytes it was before."""

    @property
    def compressed_size(self) -> int:
        """How many bytes it is now."""
        return len(self.data)

    @property
    def ratio(self) -> float:
        """How many times as large it was: 1.0 for what was left as it is."""
        return self.original_size / self.compressed_size if self.compressed_size else 1.0

    @property
    def savings(self) -> float:
        """The part of it that is gone, from 0.0; below that where it grew, since plain data was not acceptable."""
        return 1.0 - self.compressed_size / self.original_size if self.original_size else 0.0
