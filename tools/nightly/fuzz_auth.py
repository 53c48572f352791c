"""
Verifying whatever comes, guided by what it reaches: inputs that take lines not taken before are kept and changed on.

The coverage is that of `sys.monitoring`, of the lines of infra_auth, the codec and `json`. Nothing may be accepted
that was not signed, and nothing may be raised.
"""

import hmac
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any, Final

import infra_auth
from infra_auth import HS256Provider, JWTKeyConfig
from infra_conformance.jwt_attacks import attacks
from infra_conformance.jwt_forger import Forger, base64url
from infra_protocols import codec
from infra_result import Err

_TOOL: Final = sys.monitoring.OPTIMIZER_ID
_WATCHED: Final = (str(Path(infra_auth.__file__).parent), str(Path(codec.__file__).parent), json.__file__[:-11])
_WORDS: Final = (
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\u",
    "\\",
    "NaN",
    "1e400",
    "-",
    "0",
    "9" * 20,
    "null",
    "true",
    ".",
)
_WORDS_TOO: Final = ("=", "+", "/", "_", "\0", "\ud800", "\u00e9", '"exp"', '"alg"', '"crit"', '"kid"', "none", "HS256")


class Coverage:
    """Says of a call whether it took a line that none before it took."""

    def __init__(self) -> None:
        self.lines: set[tuple[CodeType, int]] = set()
        sys.monitoring.use_tool_id(_TOOL, "infra fuzz")
        sys.monitoring.register_callback(_TOOL, sys.monitoring.events.LINE, self._took)
        sys.monitoring.set_events(_TOOL, sys.monitoring.events.LINE)

    def _took(self, code: CodeType, line: int) -> object:
        if code.co_filename.startswith(_WATCHED):
            self.lines.add((code, line))
        return sys.monitoring.DISABLE  # each line is told once, and costs nothing afterwards

    def grew(self, call: Callable[[], object]) -> bool:
        """Run `call`, and say whether it took new lines."""
        before = len(self.lines)
        call()
        return len(self.lines) > before

    def close(self) -> None:
        """Watch no more."""
        sys.monitoring.set_events(_TOOL, 0)
        sys.monitoring.free_tool_id(_TOOL)


def changed(rng: random.Random, text: str, corpus: list[str]) -> str:
    """Return `text` with something put in, taken out, doubled or crossed with another."""
    at = rng.randrange(len(text) + 1)
    match rng.randrange(6):
        case 0:
            return text[:at] + rng.choice((*_WORDS, *_WORDS_TOO)) + text[at:]
        case 1:
            return text[:at] + text[at + rng.randrange(1, 8) :]
        case 2:
            return text[:at] + chr(rng.randrange(1, 300)) + text[at + 1 :]
        case 3:
            return text[:at] + text[at : at + rng.randrange(1, 40)] * rng.randrange(2, 20) + text[at:]
        case 4:
            other = rng.choice(corpus)
            return text[:at] + other[rng.randrange(len(other) + 1) :]
        case _:
            return text[at:] + text[:at]


def run(seconds: float, seed: int) -> bool:
    """Fuzz for so long, print what came of it, and say whether nothing was wrong."""
    rng = random.Random(seed)
    secret = rng.randbytes(32)
    provider = HS256Provider(JWTKeyConfig(secret=secret), dict[str, Any], issuer="me", audience="you", max_size=4096)
    claims = {"iss": "me", "aud": "you", "exp": int(time.time() + seconds) + 600}
    forger = Forger("HS256", lambda data: hmac.digest(secret, data, "sha256"), claims)
    # Whole tokens, and the insides of tokens that are well signed: these get past the signature.
    corpus = [forger.token(), json.dumps({"alg": "HS256"}), json.dumps(claims)]
    corpus += [text for _, make in attacks(forger) if isinstance(text := make(forger), str) and len(text) < 4096]
    coverage, wrong, count = Coverage(), list[str](), 0
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            text = changed(rng, rng.choice(corpus), corpus)[:4096]
            data = text.encode("utf-8", "surrogatepass")
            for token in (text, forger.token(data), forger.token(header=data)):
                count += 1
                if coverage.grew(lambda token=token: _try(provider, secret, token, wrong)):
                    corpus.append(text)
    finally:
        coverage.close()
    print(f"fuzz (seed {seed}): {count:,} tokens, {len(corpus)} kept, {len(coverage.lines)} lines, {len(wrong)} wrong")
    for token in wrong[:10]:
        print(f"  {token!r}")
    return not wrong


def _try(provider: HS256Provider[dict[str, Any]], secret: bytes, token: str, wrong: list[str]) -> None:
    try:
        answer = provider.verify(token)
    except Exception as error:
        wrong.append(f"{type(error).__name__}: {token}")
        return
    if isinstance(answer, Err):
        return
    signed, _, signature = token.rpartition(".")
    claims, now = answer.value, time.time()
    good = base64url(hmac.digest(secret, signed.encode(), "sha256")) == signature and signed.count(".") == 1
    good = good and claims["iss"] == "me" and "you" in claims["aud"] and now < claims["exp"]
    if not good or max(claims.get("nbf", 0), claims.get("iat", 0)) > now:
        wrong.append(token)
