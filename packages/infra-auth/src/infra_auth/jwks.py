"""Keys that somebody else publishes, fetched when they are needed, and tokens that are verified by them."""

import logging
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from infra_auth import _https
from infra_auth._algorithms import PAIRS, Key, pair
from infra_auth.messages import AuthMessages
from infra_auth.payload import JsonPayload, PayloadCodec
from infra_auth.reader import TokenReader
from infra_protocols import (
    AuthenticationError,
    CacheError,
    Clock,
    DecodeError,
    Flight,
    JsonCodec,
    KeySourceUnavailableError,
    Store,
    SystemClock,
    ValidationError,
    or_raise,
    require_range,
    require_type,
)
from infra_result import Err, Result

_CLOCK: Final = SystemClock()
_LOG: Final = logging.getLogger("infra_auth")
_DOCUMENT: Final = JsonCodec[dict[str, Any]](dict[str, Any])
_BY_CURVE: Final[dict[tuple[str, str | None], str]] = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}
_MAX_KEYS: Final = 100
_AT_FIRST: Final = 1.0
"""How many seconds lie between two tries while no keys are known."""


class JWKSSource:
    """
    The keys of a JWK Set (RFC 7517, section 5) that somebody publishes at a URL.

    They are fetched when one is asked for and none is known, or what is known is older than `ttl`, or the `kid` is
    unknown; the latter at most once in `cooldown` seconds, so that made-up names cause no traffic. However many wait,
    one fetch is on its way. Where it fails, the keys from before are used on, and a warning goes to `infra_auth`; the
    next try is then `cooldown` seconds later. A key of an unknown kind is left out, and the others are used.

    Args:
        url: `https://…`; redirects are not followed.
        ttl: for how many seconds a set is used before it is fetched anew.
        cooldown: how many seconds lie between two fetches at least.
        timeout: how many seconds a fetch may take.
        max_size: how many bytes a set may have.
        cache: where processes share what was fetched; `InMemoryCacheProvider` and the like.
        context: whom to trust for TLS; by default the authorities of the system.
        fetch: how a set is fetched, in place of a GET over HTTPS; the URL may then be of any kind.
        clock: tells the time.

    Raises:
        ValidationError: the URL is not of HTTPS, or a number is out of bounds.

    >>> JWKSSource("http://issuer.example/jwks.json")
    Traceback (most recent call last):
    infra_protocols.ValidationError: Invalid format for url [field='url', kind='str']
    """

    def __init__(
        self,
        url: str,
        *,
        ttl: float = 300.0,
        cooldown: float = 30.0,
        timeout: float = 5.0,
        max_size: int = 262_144,
        cache: Store[str, bytes] | None = None,
        context: ssl.SSLContext | None = None,
        fetch: Callable[[str], Awaitable[bytes]] | None = None,
        clock: Clock = _CLOCK,
    ) -> None:
        self._url = or_raise(require_type(url, "url", str))
        if fetch is None:
            _require_https(self._url)
        self._ttl: float = or_raise(require_range(ttl, "ttl", above=0))
        self._cooldown: float = or_raise(require_range(cooldown, "cooldown", min=0))
        self._timeout: float = or_raise(require_range(timeout, "timeout", above=0))
        self._max_size: int = or_raise(require_range(max_size, "max_size", min=1))
        self._cache = cache
        self._context = context
        self._fetch_by = fetch
        self._clock = clock
        self._keys: Mapping[str | None, Key] | None = None
        self._fresh_until = self._closed_until = float("-inf")
        self._flight: Flight[str, None] = Flight()

    async def find(self, kid: str | None) -> Key | None:
        """
        Return the key that `kid` names; `None` where there is none. A token without one means the only key there is.

        Raises:
            KeySourceUnavailableError: the set cannot be fetched, and none is known from before.
        """
        now = self._clock.monotonic()
        keys = self._keys
        if (keys is None or now >= self._fresh_until or _named(keys, kid) is None) and now >= self._closed_until:
            await self._flight.run(self._url, self._refresh)
            keys = self._keys
        if keys is None:
            message = AuthMessages.JWKS_UNAVAILABLE.format(reason="the last try failed, and the next is to come")
            raise KeySourceUnavailableError(message, operation="jwks.fetch")
        return _named(keys, kid)

    async def _refresh(self) -> None:
        unknown_kid = self._keys is not None and self._clock.monotonic() < self._fresh_until
        try:
            document = await self._document(anew=unknown_kid)
            keys = _keys(document)
        except (KeySourceUnavailableError, DecodeError) as error:
            # With nothing to go on with, a try that failed by chance must not count for long.
            wait = self._cooldown if self._keys is not None else min(self._cooldown, _AT_FIRST)
            self._closed_until = self._clock.monotonic() + wait
            if self._keys is None:
                raise _unusable(error) from error
            _LOG.warning("The key set at %s could not be fetched; that from before is used: %s", self._url, error)
            return
        now = self._clock.monotonic()
        self._keys, self._fresh_until, self._closed_until = keys, now + self._ttl, now + self._cooldown

    async def _document(self, *, anew: bool) -> bytes:
        if not anew and (kept := await self._shared()) is not None:
            return kept
        try:
            if self._fetch_by is not None:
                document = await self._fetch_by(self._url)
            else:
                document = await _https.get(
                    urlsplit(self._url), timeout=self._timeout, max_size=self._max_size, context=self._context
                )
        except OSError as error:
            raise _unusable(error) from error
        _keys(document)  # what is none is kept nowhere
        await self._share(document)
        return document

    async def _shared(self) -> bytes | None:
        try:
            return None if self._cache is None else await self._cache.get(self._url)
        except (CacheError, OSError) as error:
            _LOG.warning("The cache of key sets failed; %s is fetched: %s", self._url, error)
            return None

    async def _share(self, document: bytes) -> None:
        try:
            if self._cache is not None:
                await self._cache.set(self._url, document, cast("Any", self._ttl))
        except (CacheError, OSError) as error:
            _LOG.warning("The cache of key sets failed; %s is not shared: %s", self._url, error)


class JWKSVerifier[TPayload]:
    """
    Verifies tokens that somebody else has signed, by the keys that they publish.

    What is checked is the same as by every provider, by the same code. A key is good for one algorithm: the one that
    its `alg` says, else the one of its kind.

    Args:
        source: the keys.
        type: the payload: a dataclass, a `TypedDict` or a `dict`; another with the `codec` that knows it.
        algorithms: which are accepted.
        issuer: what `iss` must be.
        audience: what `aud` must be, or have among others, any of several.
        subject: what `sub` must be.
        token_type: what `typ` of the header must be.
        required: names of claims that must be there besides.
        require_exp: whether a token must have an end.
        leeway: for how many seconds clocks may differ.
        max_size: how many characters a token may have.
        codec: what turns the claims into a payload.
        clock: tells the time.

    Type parameters:
        TPayload: the payload.

    Raises:
        ValidationError: an argument is out of bounds, or the codec does not know the type.

    >>> source = JWKSSource("https://issuer.example/jwks.json")
    >>> verifier = JWKSVerifier(source, dict[str, object], issuer="https://issuer.example", audience="api")
    """

    def __init__(
        self,
        source: JWKSSource,
        type: type[TPayload],
        *,
        algorithms: Collection[str] = tuple(PAIRS),
        issuer: str | None = None,
        audience: str | Collection[str] | None = None,
        subject: str | None = None,
        token_type: str | None = None,
        required: Collection[str] = (),
        require_exp: bool = True,
        leeway: float = 0.0,
        max_size: int = 8192,
        codec: Callable[[Any], PayloadCodec[Any]] = JsonPayload,
        clock: Clock = _CLOCK,
    ) -> None:
        unknown = [each for each in algorithms if each not in PAIRS]
        if unknown or isinstance(algorithms, str):
            message = AuthMessages.VALIDATION_WRONG_KIND.format(field="algorithms", expected=f"some of {[*PAIRS]}")
            raise ValidationError(message, field="algorithms", kind=algorithms.__class__.__name__)
        self._source = source
        self._algorithms = frozenset(algorithms)
        self._reader: TokenReader[TPayload] = TokenReader(
            type,
            issuer=issuer,
            audience=audience,
            subject=subject,
            token_type=token_type,
            required=required,
            require_exp=require_exp,
            leeway=leeway,
            max_size=max_size,
            codec=codec,
            clock=clock,
        )

    async def verify(self, token: str) -> Result[TPayload, AuthenticationError]:
        """
        Return the payload of `token`, if all about it is as it must be; it raises for no input whatever.

        Returns an `Err` with what `BaseJWTProvider.verify` tells, or:
            KeySourceUnavailableError: the keys cannot be fetched, and none are known from before.
        """
        envelope = self._reader.open(token)
        if isinstance(envelope, AuthenticationError):
            return Err(envelope)
        if envelope.header.alg not in self._algorithms:
            return Err(self._reader.other_algorithm(envelope, " or ".join(sorted(self._algorithms))))
        try:
            key = await self._source.find(envelope.header.kid)
        except KeySourceUnavailableError as error:
            return Err(error)
        return self._reader.accept(envelope, key)


def _require_https(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme == "https" and bool(parts.hostname) and parts.username is None and parts.port != 0
        good = good and url.isascii() and url.isprintable() and " " not in url
    except ValueError:
        good = False
    if not good:
        raise ValidationError(AuthMessages.VALIDATION_INVALID_FORMAT.format(field="url"), field="url", kind="str")


def _keys(document: bytes) -> dict[str | None, Key]:
    """Return the keys of a set that can be used, by `kid`; whatever else is in it is left out."""
    listed: Any = _DOCUMENT.decode(document).get("keys")
    if not isinstance(listed, list):
        raise KeySourceUnavailableError(AuthMessages.JWKS_UNAVAILABLE.format(reason="it is no JWK Set"))
    keys: dict[str | None, Key] = {}
    for jwk in cast("list[Any]", listed)[:_MAX_KEYS]:
        key = _key(jwk)
        if key is not None:
            keys.setdefault(key.kid, key)
    return keys


def _key(jwk: Any) -> Key | None:
    if not isinstance(jwk, dict):
        return None
    fields = cast("dict[str, Any]", jwk)
    kid, kind, curve = fields.get("kid"), fields.get("kty"), fields.get("crv")
    if not isinstance(kid, str | None) or not isinstance(kind, str) or not isinstance(curve, str | None):
        return None
    algorithm = _BY_CURVE.get((kind, curve if kind != "RSA" else None))
    if algorithm is None or fields.get("alg", algorithm) != algorithm or fields.get("use", "sig") != "sig":
        return None
    public = {name: value for name, value in fields.items() if name in ("kty", "crv", "x", "y", "n", "e")}
    try:
        made: Any = PyJWK.from_dict({**public, "alg": algorithm}).key
        return pair(PAIRS[algorithm], made, None, kid, "jwk")
    except (PyJWTError, ValueError, TypeError, KeyError, ValidationError):
        return None


def _named(keys: Mapping[str | None, Key], kid: str | None) -> Key | None:
    if kid is None and len(keys) == 1:
        return next(iter(keys.values()))
    return keys.get(kid)


def _unusable(error: Exception) -> KeySourceUnavailableError:
    if isinstance(error, KeySourceUnavailableError):
        return error
    reason = "it is no JSON" if isinstance(error, DecodeError) else f"{type(error).__name__}: {error}"
    return KeySourceUnavailableError(AuthMessages.JWKS_UNAVAILABLE.format(reason=reason), operation="jwks.fetch")
