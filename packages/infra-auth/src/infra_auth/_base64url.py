"""Base 64 as tokens have it: the URL alphabet, no padding (RFC 7515, section 2), and one spelling for each value."""

from binascii import Error, a2b_base64, b2a_base64
from typing import Final

_OUT: Final = bytes.maketrans(b"+/", b"-_")
# What belongs to the other alphabet, and the padding, become something that is in none.
_IN: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING: Final = (b"", None, b"==", b"=")
# The last character has bits that are no part of the value: where they are not 0, it is another spelling of it.
_LAST: Final = (None, None, frozenset(b"AQgw"), frozenset(b"AEIMQUYcgkosw048"))


def encode(data: bytes) -> bytes:
    """
    Return `data` in base 64.

    >>> encode(b"ada")
    b'YWRh'
    """
    return b2a_base64(data, newline=False).rstrip(b"=").translate(_OUT)


def decode(text: bytes) -> bytes | None:
    """
    Return what `text` stands for; `None` unless `encode` spells it just so.

    >>> decode(b"YWRhIQ"), decode(b"YWRhIR"), decode(b"YWRhIQ==")
    (b'ada!', None, None)
    """
    over = len(text) % 4
    padding, last = _PADDING[over], _LAST[over]
    if padding is None or (last is not None and text[-1] not in last):
        return None
    try:
        return a2b_base64(text.translate(_IN) + padding, strict_mode=True)
    except Error:
        return None
