"""Which coding a client gets (RFC 9110, section 12.5.3)."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from infra_compress.codings import ALIASES, ANY, IDENTITY, TOKEN, canonical

MAX_HEADER: Final = 4096
"""How many characters of Accept-Encoding are read; what begins behind them is passed over."""
_MOST_KEPT: Final = 512
"""For how many headers the answer is kept; the longest of them would take 2 MB together."""


class Negotiated(NamedTuple):
    """What a header says to a server."""

    supported: Sequence[str]
    """The codings that the server has."""
    encoding: str | None
    """What to answer with, as `select_encoding` returns it."""
    plain: bool
    """Whether plain content would be acceptable, too."""


# By the header alone, with the codings that it was asked for last: a server has one tuple of them, and to hash that
# would take longer than all the rest.
_kept: Final[dict[object, Negotiated]] = {}

_NEVER: Final = 0.0
_UNLISTED: Final = 0.0005
"""The rank of plain content that the header does not speak of: acceptable, after all that is listed."""

# Nothing in it can be matched in two ways, so it takes no longer than the header is long.
_ELEMENT: Final = re.compile(rf"({TOKEN})(?:[ \t]*;[ \t]*[Qq]=(0(?:\.[0-9]{{0,3}})?|1(?:\.0{{0,3}})?))?")


def select_encoding(accept_encoding: str | Iterable[str] | None, supported: Sequence[str]) -> str | None:
    """
    Return which of the codings in `supported` to answer with, by RFC 9110, section 12.5.3.

    The highest weight wins; among equals, the first in `supported`. Plain content, `"identity"`, has the weight that
    the header gives it, by name or by `*`; where it gives none, plain content is acceptable, and comes last. It comes
    after codings of the same weight, too, unless `supported` names it before them.

    Names are compared without regard to case, and `x-gzip` is `gzip`. Of one that is listed twice, the higher weight
    counts. An element that is not well-formed is passed over as if it were not there.

    The answer is kept for headers that were seen lately.

    Args:
        accept_encoding: the value of the header; several, if it came in several lines; `None` if it did not come.
        supported: the codings there are, the preferred first. A tuple is looked up quickest.

    Returns:
        One of `supported` as it stands there, or `"identity"`, or `None` when nothing is acceptable, plain content
        included: that is 406 in HTTP.

    >>> select_encoding("gzip;q=0.8, br, *;q=0.1", ("zstd", "br", "gzip"))
    'br'
    >>> select_encoding("GZIP, deflate", ("zstd", "gzip"))
    'gzip'
    >>> select_encoding("compress", ("zstd", "gzip"))
    'identity'
    >>> select_encoding("compress, *;q=0", ("zstd", "gzip")) is None
    True
    """
    try:
        if len(accept_encoding) <= MAX_HEADER:  # pyright: ignore[reportArgumentType]  # most often it is a text
            kept = _kept.get(accept_encoding)
            if kept is not None and kept[0] is supported:
                return kept[1]
    except TypeError:
        pass
    if accept_encoding is None:
        return IDENTITY
    return negotiate(join_lines(accept_encoding), supported).encoding


def join_lines(accept_encoding: str | Iterable[str]) -> str:
    """Return the header as if all of it had come in one line."""
    return accept_encoding if isinstance(accept_encoding, str) else ",".join(accept_encoding)


def negotiate(header: str, supported: Sequence[str]) -> Negotiated:
    """Return what `header` says to a server that has the codings `supported`."""
    if len(header) > MAX_HEADER:
        header = header[:MAX_HEADER].rpartition(",")[0]
    kept = _kept.get(header)
    if kept is not None and kept.supported is supported:
        return kept
    negotiated = _negotiate(header, supported)
    if isinstance(supported, tuple):  # what can be changed may be
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[header] = negotiated
    return negotiated


def _negotiate(header: str, supported: Sequence[str]) -> Negotiated:
    weights = _weights(header)
    others = weights.get(ANY, _NEVER)
    plain = weights.get(IDENTITY, weights.get(ANY, _UNLISTED))
    best, answer = _NEVER, None
    for name in supported:
        known = canonical(name)
        weight = plain if known == IDENTITY else weights.get(known, others)
        if weight > best:
            best, answer = weight, name
    return Negotiated(supported, IDENTITY if plain > best else answer, plain > _NEVER)


def _weights(header: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for element in header.split(","):
        match = _ELEMENT.fullmatch(element.strip(" \t"))
        if match is None:
            continue
        name, weight = match.groups("1")
        name = name.lower()
        known = ALIASES.get(name, name)
        weights[known] = max(float(weight), weights.get(known, _NEVER))
    return weights
