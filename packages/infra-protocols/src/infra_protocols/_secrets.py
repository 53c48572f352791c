"""What is secret, as its name tells: the name of a parameter, of a mapping's item, or before a `=` in a text."""

import re
from functools import lru_cache
from typing import Final

REDACTED: Final = "[redacted]"

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

# Telling wherever they stand, also inside `dbpassword`; a tokenizer and a secretary are no secrets.
_STEM: Final = re.compile(
    r"passw(?:or)?d(?!less)|passphrase|passcode|secret(?!ar|ion)|token(?!i[sz])|credential|cookie|jwt|bearer"
    r"|authorization|(?:api|private|priv|access|signing|encryption|master|session|shared|account)key"
)
# Telling only as whole words: a compass is no pass.
_SECRET_WORD: Final = re.compile("pass|pwd|otp|totp|pin|pem|jwks?|salt|signature|hmac")
# A key may as well be that of a cache or of a table: the words beside it tell.
_KEY: Final = re.compile("keys?")
_SECRET_KEY: Final = re.compile(
    "api|access|private|sign|signing|encrypt|encryption|decrypt|decryption|master|session|shared|account|material"
    "|rsa|ec|aes|ssh|gpg"
)
_PUBLIC_KEY: Final = re.compile("public|pub|id")
# What is said *about* a secret may be told: `token_type`, `password_length`, `max_tokens`.
_ABOUT: Final = re.compile(
    "at|count|length|len|size|limit|name|type|kind|ttl|timeout|lifetime|expiry|age|time|version|policy|algorithm|alg"
    "|rounds|rate|status|endpoint|issuer|audience|bucket|left|remaining"
)
_AMOUNT: Final = re.compile("max|min|total|num")

# `//user:password@`, where the password may hold any of `:/@`, and a port is no password.
_URL_PASSWORD: Final = re.compile(r"(?<=://)([^/\s:@\[]*):(?!\d{1,5}(?:[/?#,\s]|$))(?:(?!://)\S)*@")
_ASSIGNMENT: Final = re.compile(r"""(?<![\w.-])([\w.-]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s&;,]+)""")


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or _AMOUNT.fullmatch(words[0]) or _ABOUT.fullmatch(words[-1]):
        return False
    if words[-1] == "auth" or _STEM.search(name.lower()) or _any(_SECRET_WORD, words):
        return True
    return _any(_KEY, words) and _any(_SECRET_KEY, words) and not _any(_PUBLIC_KEY, words)


def _any(pattern: re.Pattern[str], words: list[str]) -> bool:
    return any(map(pattern.fullmatch, words))


def without_secrets(text: str) -> str:
    """`text` without the passwords of URLs, and without what is assigned to secret names, as in a DSN or a query."""
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1:{REDACTED}@", text)
    if "=" in text:
        text = _ASSIGNMENT.sub(_without_value, text)
    return text


def _without_value(found: re.Match[str]) -> str:
    name, equals, _ = found.groups()
    return f"{name}{equals}{REDACTED}" if is_secret(name) else found[0]
