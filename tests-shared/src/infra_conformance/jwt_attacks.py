"""
The table of attacks: hostile and malformed tokens, none of which any provider may accept, or raise for.

They are of the kinds that RFC 8725 ("JSON Web Token Best Current Practices") and the published faults of libraries
tell of. Each is made with the provider's own key, so that nothing but the fault itself can be what is refused.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from infra_conformance.jwt_forger import Forger, base64_padded, base64url

type Change = Callable[[bytes], bytes]
type Attack = Callable[[Forger], object]
"""Makes the token; what is no text at all is none either."""

NONE: Final = ("none", "None", "NONE", "nOnE", "NonE", "none ", " none", "none\0", "\uff4eone", "non\u0435", "")
OTHERS: Final = ("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "ES256K")
OTHERS_TOO: Final = ("EdDSA", "Ed25519", "Ed448", "dir", "A128KW", "RSA-OAEP", "ECDH-ES", "PBES2-HS256+A128KW")
NO_TEXTS: Final[tuple[object, ...]] = (None, 0, True, 1.5, [], ["HS256"], {}, {"alg": "HS256"})
NO_NUMBERS: Final[tuple[object, ...]] = ("9999999999", True, False, None, [], [9999999999], {}, "never")
_NO_TEXTS: Final[tuple[object, ...]] = (0, True, None, [], {})
NO_CRITS: Final[tuple[object, ...]] = (["exp"], ["b64"], ["unknown"], [], "exp", None, {}, [1])
NO_IDS: Final[tuple[object, ...]] = (0, True, [], {}, ["a"])
NO_ISSUERS: Final[tuple[object, ...]] = ("", "https://attacker.example", "iss", "*", None, 1, [], {})
NO_AUDIENCES: Final[tuple[object, ...]] = ("", "another", "*", None, 1, True, [], ["another"], [1], {})
NOT_FINITE: Final = ("NaN", "Infinity", "-Infinity", "1e400", "-1e400")
NO_TOKENS: Final[tuple[object, ...]] = (None, 0, True, 1.5, b"a.b.c", ["a", "b", "c"], {"token": "a.b.c"}, object())
PARTS: Final = (
    "",
    ".",
    "..",
    "...",
    "....",
    "a",
    "a.b",
    "a.b.c",
    "a.b.c.d",
    "a.b.c.d.e",
    "\0.\0.\0",
    "\u2024\u2024",
    "\ud800.\ud800.\ud800",
    "%2e%2e",
    "{}.{}.{}",
    "e30.e30.",
    "e30.e30.e30",
)

SIGNATURES: Final[dict[str, Change]] = {
    "empty": lambda _: b"",
    "cut short by a byte": lambda signature: signature[:-1],
    "cut to a half": lambda signature: signature[: len(signature) // 2],
    "longer by a byte": lambda signature: signature + b"\0",
    "behind a zero": lambda signature: b"\0" + signature,
    "twice": lambda signature: signature * 2,
    "with its first bit turned": lambda signature: bytes([signature[0] ^ 128]) + signature[1:],
    "with its last bit turned": lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]),
    "of zeros": lambda signature: bytes(len(signature)),
    "of ones": lambda signature: b"\xff" * len(signature),
    "backwards": lambda signature: signature[::-1],
    "of one byte": lambda _: b"\0",
    "in DER": lambda signature: b"\x30\x44\x02\x20" + signature[:32] + b"\x02\x20" + signature[32:],
    "of r = s = 1": lambda signature: (b"\0" * 31 + b"\1") * (len(signature) // 32),
    "in hexadecimal": lambda signature: signature.hex().encode(),
}
"""What is made of a signature."""
TOKENS: Final[dict[str, Callable[[str], str]]] = {
    "in front of it, a dot": lambda token: "." + token,
    "behind it, a dot": lambda token: token + ".",
    "in front of it, a blank": lambda token: " " + token,
    "behind it, a new line": lambda token: token + "\r\n",
    "in front of it, Bearer": lambda token: "Bearer " + token,
    "in front of it, a byte order mark": lambda token: "\ufeff" + token,
    "in quotes": lambda token: f'"{token}"',
    "without its first part": lambda token: token.partition(".")[2],
    "without its last part": lambda token: token.rpartition(".")[0],
    "with its first part twice": lambda token: token.partition(".")[0] + "." + token,
    "with its parts turned round": lambda token: ".".join(reversed(token.split("."))),
    "with an empty payload": lambda token: token.split(".")[0] + ".." + token.split(".")[2],
    "with an empty header": lambda token: "." + token.partition(".")[2],
    "with colons for dots": lambda token: token.replace(".", ":"),
    "in full width letters": lambda token: "".join(chr(ord(each) + 0xFEE0) for each in token),
    "in lower case": lambda token: token.lower(),
    "with a blank within": lambda token: token[:10] + " " + token[10:],
    "with a new line within": lambda token: token[:10] + "\n" + token[10:],
    "with a zero within": lambda token: token[:10] + "\0" + token[10:],
    "behind it, a megabyte": lambda token: token + "A" * 1_000_000,
    "a million times": lambda token: token[:1] * 1_000_000,
    "with a hundred thousand dots": lambda token: token + "." * 100_000,
    "in the JSON serialization": lambda token: json.dumps(dict(zip(_FLAT, token.split("."), strict=True))),
}
"""What is made of a whole token."""
HEADERS: Final[dict[str, Change]] = {
    "with alg twice": lambda text: text[:-1] + b',"alg":"none"}',
    "with alg twice, the other way round": lambda text: b'{"alg":"none",' + text[1:],
    "with alg twice, once in escapes": lambda text: text[:-1] + b',"\\u0061lg":"none"}',
    "with a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "in UTF-16": lambda text: text.decode().encode("utf-16"),
    "in UTF-32": lambda text: text.decode().encode("utf-32"),
    "with something behind": lambda text: text + b"x",
    "with a comment": lambda text: text[:-1] + b"/* */}",
    "with a comma too many": lambda text: text[:-1] + b",}",
    "in single quotes": lambda text: text.replace(b'"', b"'"),
    "with bytes that are no UTF-8": lambda text: text[:-1] + b',"x":"\xff"}',
    "with half of a character": lambda text: text[:-1] + b',"x":"\\ud800"}',
    "with an overlong encoding": lambda text: text[:-1] + b',"x":"\xc0\xaf"}',
    "with NaN": lambda text: text[:-1] + b',"x":NaN}',
    "with a number beyond all bounds": lambda text: text[:-1] + b',"x":1e999}',
    "with a control character": lambda text: text[:-1] + b',"x":"\n"}',
    "in an array": lambda text: b"[" + text + b"]",
    "as text in JSON": lambda text: json.dumps(text.decode()).encode(),
    "nested without end": lambda text: text[:-1] + b',"x":' + b"[" * 700 + b"]" * 700 + b"}",
}
"""What is made of the JSON of a header, which is signed."""
PAYLOADS: Final[dict[str, Change]] = {
    "with exp twice": lambda text: text[:-1] + b',"exp":1}',
    "with exp twice, the other way round": lambda text: b'{"exp":1,' + text[1:],
    "with sub twice": lambda text: b'{"sub":"eve","sub":"ada",' + text[1:],
    "with aud twice, once in escapes": lambda text: text[:-1] + b',"a\\u0075d":"x"}',
    "with a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "in UTF-16": lambda text: text.decode().encode("utf-16-le"),
    "in an array": lambda text: b"[" + text + b"]",
    "with something behind": lambda text: text + b"\0",
    "with a comma too many": lambda text: text[:-1] + b",}",
    "with bytes that are no UTF-8": lambda text: text[:-1] + b',"x":"\xed\xa0\x80"}',
    "with half of a character": lambda text: text[:-1] + b',"x":"\\udc00"}',
    "with NaN within": lambda text: text[:-1] + b',"x":[{"y":NaN}]}',
    "with a number beyond all bounds": lambda text: text[:-1] + b',"x":1e400}',
    "with an int of many digits": lambda text: text[:-1] + b',"x":' + b"9" * 5000 + b"}",
    "nested without end": lambda text: text[:-1] + b',"x":' + b"[" * 2900 + b"]" * 2900 + b"}",
    "as another token": lambda text: base64url(text).encode(),
}
"""What is made of the JSON of a payload, which is signed."""
PARTIES: Final[dict[str, Attack]] = {
    "iss in upper case": lambda f: f.claiming(iss=f.claims["iss"].upper()),
    "iss with a slash behind": lambda f: f.claiming(iss=f.claims["iss"] + "/"),
    "iss that begins so": lambda f: f.claiming(iss=f.claims["iss"] + ".attacker.example"),
    "iss cut short": lambda f: f.claiming(iss=f.claims["iss"][:-1]),
    "aud in upper case": lambda f: f.claiming(aud=f.claims["aud"].upper()),
    "aud that begins so": lambda f: f.claiming(aud=f.claims["aud"] + "-2"),
    "aud among what is no text": lambda f: f.claiming(aud=[f.claims["aud"], 1]),
}
"""Issuers and audiences that look like the right ones."""
_SECRET: Final = bytes(range(32))
_JWK: Final = {"kty": "oct", "k": base64url(_SECRET), "alg": "HS256", "kid": "mine"}
FOREIGN: Final[dict[str, dict[str, Any]]] = {
    "jwk": {"jwk": _JWK},
    "jku": {"jku": "https://attacker.example/jwks.json", "kid": "mine"},
    "jku to a file": {"jku": "file:///etc/passwd", "kid": "mine"},
    "x5u": {"x5u": "https://attacker.example/chain.pem"},
    "x5c": {"x5c": [base64_padded(_SECRET)]},
    "x5t": {"x5t": base64url(hashlib.sha1(_SECRET, usedforsecurity=False).digest())},
    "kid that is a path": {"kid": "../../../../dev/null"},
    "kid that is a statement": {"kid": "x' UNION SELECT 'AAECAw"},
    "kid that is a command": {"kid": "| id"},
    "kid that is a URL": {"kid": "https://attacker.example/key"},
    "kid that is long": {"kid": "k" * 1200},
    "kid that is empty": {"kid": ""},
}
"""What a header says of a key that the attacker has."""


def attacks(forger: Forger) -> Iterator[tuple[str, Attack]]:
    """Yield the attacks on the provider of `forger`, each with its name."""
    yield from _algorithms(forger)
    yield from _signatures(forger)
    yield from _outsides(forger)
    yield from _headers()
    yield from _foreign_keys()
    yield from _claims(forger)
    yield from _payloads()


def _algorithms(forger: Forger) -> Iterator[tuple[str, Attack]]:
    def unsigned(alg: object) -> Attack:
        return lambda f: f.token(header={**f.header, "alg": alg}, sign=lambda _: b"")

    for alg in NONE:
        yield f"alg {alg!r}, unsigned", unsigned(alg)
        yield f"alg {alg!r}, signed", _headed(alg=alg)
    for alg in NO_TEXTS:
        yield f"alg that is {alg!r}, signed", _headed(alg=alg)
    for alg in (*OTHERS, *OTHERS_TOO, forger.algorithm.swapcase(), forger.algorithm + " ", forger.algorithm + "\0"):
        if alg != forger.algorithm:
            yield f"alg {alg!r}, signed", _headed(alg=alg)
    yield "no alg", lambda f: f.token(header=f.header)
    for number, text in enumerate(forger.published):
        for alg, hash in (("HS256", hashlib.sha256), ("HS384", hashlib.sha384), ("HS512", hashlib.sha512)):
            for label, header in (("said", alg), ("not said", forger.algorithm)):
                yield f"{alg} by the public key in form {number}, {label}", _confused(text, hash, header)


def _confused(text: bytes, hash: Callable[..., Any], alg: str) -> Attack:
    return lambda f: f.token(header={**f.header, "alg": alg}, sign=lambda data: hmac.new(text, data, hash).digest())


def _signatures(forger: Forger) -> Iterator[tuple[str, Attack]]:
    size = len(forger.sign(b""))
    for name, change in SIGNATURES.items():
        yield f"signature {name}", _resigned(change)
    yield (
        "signature of another token",
        lambda f: f.token().rpartition(".")[0] + "." + f.claiming(x=1).rpartition(".")[2],
    )
    yield "signature of the payload alone", lambda f: f.token(sign=lambda data: f.sign(data.partition(b".")[2]))
    yield "signature of the header alone", lambda f: f.token(sign=lambda data: f.sign(data.partition(b".")[0]))
    yield "signature of nothing", lambda f: f.token(sign=lambda _: f.sign(b""))
    yield "signature by an empty secret", lambda f: f.token(sign=lambda data: hmac.new(b"", data, "sha256").digest())
    yield "signature without a secret", lambda f: f.token(sign=lambda data: hashlib.sha256(data).digest())
    if size % 3:
        yield "signature in a second spelling", lambda f: _respelt(f.token())
        yield "signature padded", lambda f: f.token() + "=" * (-size % 3)
    for mark in ("=", "+", "/", "\n", " ", "\0", "-", "_", "A", "AAAA", "%3D"):
        yield f"signature with {mark!r} behind", _changed(lambda token, mark=mark: token + mark)


def _resigned(change: Callable[[bytes], bytes]) -> Attack:
    return lambda f: f.token(sign=lambda data: change(f.sign(data)))


def _respelt(token: str) -> str:
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + digits[digits.index(token[-1]) + 1]


def _outsides(forger: Forger) -> Iterator[tuple[str, Attack]]:
    for thing in NO_TOKENS:
        yield f"no text but {type(thing).__name__}", _just(thing)
    for text in PARTS:
        yield f"text {text!r}", _just(text)
    yield "subclass of str", lambda f: type("Text", (str,), {})(f.token())
    for name, change in TOKENS.items():
        yield f"token {name}", _changed(change)
    for part in (0, 1):
        yield f"part {part} in the other alphabet", _recoded(part)
        for mark in ("=", "\n", " ", "*", "\u00e9"):
            yield f"part {part} with {mark!r} behind, signed", _marked(part, mark)
    yield "header of a size beyond reason", lambda f: f.headed(x="A" * 100_000)
    yield "payload of a size beyond reason", lambda f: f.claiming(x="A" * 1_000_000)


_FLAT: Final = ("protected", "payload", "signature")


def _just(thing: object) -> Attack:
    return lambda _: thing


def _changed(change: Callable[[str], str]) -> Attack:
    return lambda f: change(f.token())


def _headed(**fields: object) -> Attack:
    return lambda f: f.headed(**fields)


def _raw_header(change: Change) -> Attack:
    return lambda f: f.token(header=change(json.dumps({"alg": f.algorithm, **f.header}).encode()))


def _raw_payload(change: Change) -> Attack:
    return lambda f: f.token(change(json.dumps(f.claims).encode()))


def _claiming(claim: str, value: object) -> Attack:
    return lambda f: f.claiming(**{claim: value})


def _claiming_text(claim: str, text: str) -> Attack:
    def make(f: Forger) -> str:
        others = {name: value for name, value in f.claims.items() if name != claim}
        return f.token(json.dumps(others).encode()[:-1] + f', "{claim}": {text}}}'.encode())

    return make


def _without(claim: str) -> Attack:
    return lambda f: f.without(claim)


def _recoded(part: int) -> Attack:
    def make(f: Forger) -> str:
        # With what the two alphabets spell differently, and padding.
        texts = [json.dumps({"alg": f.algorithm, **f.header, "x": "\u00ff?>~~"}, ensure_ascii=False).encode()]
        texts.append(json.dumps({**f.claims, "x": "\u00ff?>~~ "}, ensure_ascii=False).encode())
        spelt = [base64_padded(text) + "=" if at == part else base64url(text) for at, text in enumerate(texts)]
        return _signed(f, spelt)

    return make


def _marked(part: int, mark: str) -> Attack:
    def make(f: Forger) -> str:
        spelt = f.token().split(".")[:2]
        spelt[part] += mark
        return _signed(f, spelt)

    return make


def _signed(f: Forger, parts: list[str]) -> str:
    signed = ".".join(parts)
    return f"{signed}.{base64url(f.sign(signed.encode()))}"


def _headers() -> Iterator[tuple[str, Attack]]:
    for text in (b"", b"[]", b"null", b"1", b'"alg"', b"true", b"{", b"}", b"{}", b"{}{}", b"\xff", b"\0"):
        yield f"header {text!r}", _raw_header(lambda _, text=text: text)
    for name, change in HEADERS.items():
        yield f"header {name}", _raw_header(change)
    for crit in NO_CRITS:
        yield f"crit {crit!r}", _headed(crit=crit)
    yield "payload not in base 64, and crit", lambda f: f.headed(crit=["b64"], b64=False)
    for value in NO_IDS:
        yield f"kid that is {value!r}", _headed(kid=value)
        yield f"typ that is {value!r}", _headed(typ=value)


def _foreign_keys() -> Iterator[tuple[str, Attack]]:
    for name, fields in FOREIGN.items():
        for label, alg in (("of its own alg", None), ("of HS256", "HS256")):
            yield f"{name}, {label}", _foreign(fields, alg)


def _foreign(fields: dict[str, Any], alg: str | None) -> Attack:
    return lambda f: f.token(
        header={"alg": alg or f.algorithm, **f.header, **fields},
        sign=lambda data: hmac.new(_SECRET, data, "sha256").digest(),
    )


def _claims(forger: Forger) -> Iterator[tuple[str, Attack]]:
    end: float = forger.claims["exp"]
    for claim in ("exp", "iss", "aud"):
        yield f"no {claim}", _without(claim)
    for claim in ("exp", "nbf", "iat"):
        for value in NO_NUMBERS:
            yield f"{claim} that is {value!r}", _claiming(claim, value)
        for text in NOT_FINITE:
            yield f"{claim} that is {text}", _claiming_text(claim, text)
    for past in (0, -1, -end, end - 10**9, -(10**30), 1e-9):
        yield f"exp in the past, {past:g}", _claiming("exp", past)
    for future in (end + 10**6, 10**30, 1e300):
        yield f"nbf in the future, {future:g}", _claiming("nbf", future)
        yield f"iat in the future, {future:g}", _claiming("iat", future)
    for value in (*NO_ISSUERS, [forger.claims["iss"]]):
        yield f"iss that is {value!r}", _claiming("iss", value)
    for value in (*NO_AUDIENCES, {forger.claims["aud"]: 1}):
        yield f"aud that is {value!r}", _claiming("aud", value)
    yield from PARTIES.items()
    for claim in ("sub", "jti"):
        for value in _NO_TEXTS:
            yield f"{claim} that is {value!r}", _claiming(claim, value)


def _payloads() -> Iterator[tuple[str, Attack]]:
    for text in (b"", b"[]", b"null", b"1", b'"sub"', b"true", b"{", b"{}", b"{}{}", b"\xff", b"\0", b"ada"):
        yield f"payload {text!r}", _raw_payload(lambda _, text=text: text)
    for name, change in PAYLOADS.items():
        yield f"payload {name}", _raw_payload(change)
