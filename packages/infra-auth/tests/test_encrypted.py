"""Values that are encrypted."""

import pickle
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra_auth import EncryptedValue, Encryptor
from infra_protocols import DecryptionError, ValidationError
from infra_result import Ok

OLD, NEW = bytes(32), bytes(range(32))


@dataclass(frozen=True)
class Card:
    number: str
    year: int


@given(st.builds(Card, st.text(st.characters(codec="utf-8")), st.integers(0, 9999)), st.text(max_size=5))
def test_what_was_encrypted_comes_back(card: Card, bound_to: str) -> None:
    cards = Encryptor(Card, [NEW])
    kept = cards.encrypt(card, bound_to=bound_to).unwrap()
    assert cards.decrypt(kept, bound_to=bound_to) == Ok(card)
    assert cards.decrypt(pickle.loads(pickle.dumps(kept)), bound_to=bound_to) == Ok(card)
    assert isinstance(cards.decrypt(kept, bound_to=bound_to + "x").unwrap_err(), DecryptionError)


@given(st.data())
def test_a_change_of_any_bit_is_noticed(data: st.DataObject) -> None:
    texts = Encryptor(str, [NEW])
    kept = texts.encrypt("secret").unwrap().data
    at = data.draw(st.integers(0, 8 * len(kept) - 1))
    changed = bytearray(kept)
    changed[at // 8] ^= 1 << at % 8
    for forged in (bytes(changed), kept[: at // 8], kept + b"\0", b""):
        assert texts.decrypt(EncryptedValue(forged)).is_err()


def test_two_of_the_same_differ() -> None:
    texts = Encryptor(str, [NEW])
    assert texts.encrypt("secret") != texts.encrypt("secret")


def test_keys_are_rotated() -> None:
    kept = Encryptor(str, [OLD]).encrypt("secret", bound_to="user:1").unwrap()
    both, new = Encryptor(str, [NEW, OLD]), Encryptor(str, [NEW])
    assert both.decrypt(kept, bound_to="user:1") == Ok("secret")
    assert new.decrypt(kept, bound_to="user:1").is_err()
    renewed = both.renewed(kept, bound_to="user:1").unwrap()
    assert new.decrypt(renewed, bound_to="user:1") == Ok("secret")
    assert both.renewed(kept).is_err()


def test_nothing_prints_what_it_holds() -> None:
    texts = Encryptor(str, [NEW])
    kept = texts.encrypt("s3cret").unwrap()
    assert (repr(kept), repr(texts)) == ("EncryptedValue()", "Encryptor(1 keys)")
    assert "s3cret" not in str(Encryptor(int, [NEW]).decrypt(EncryptedValue(kept.data)))


def test_what_would_not_come_back_is_refused() -> None:
    assert isinstance(Encryptor(float, [NEW]).encrypt(float("nan")).unwrap_err(), ValidationError)


@pytest.mark.parametrize("keys", [[], [b"short"], [NEW, b""], ["x" * 32]])
def test_bad_keys_are_refused(keys: Any) -> None:
    with pytest.raises(ValidationError, match="keys"):
        Encryptor(str, keys)
