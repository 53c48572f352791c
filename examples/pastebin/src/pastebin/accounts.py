"""
Who may log in, from a file with a line each: `name:salt:hash`, and `:admin` behind it for who may do anything.

`python -m pastebin.accounts NAME` asks for a password and prints such a line.
"""

import asyncio
import getpass
import hmac
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import scrypt
from secrets import token_bytes
from typing import Final, Self

_COST: Final = 2**14
_DUMMY: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in; the password is kept as its hash by scrypt (RFC 7914)."""

    name: str
    salt: bytes
    hash: bytes
    admin: bool = False

    @classmethod
    def of(cls, name: str, password: str, *, admin: bool = False) -> Self:
        """Return the account of `name` with `password`."""
        salt = token_bytes(16)
        return cls(name, salt, _hash(password, salt), admin)

    @property
    def line(self) -> str:
        """The line of the file."""
        return f"{self.name}:{self.salt.hex()}:{self.hash.hex()}" + (":admin" if self.admin else "")


class Accounts:
    """
    The accounts of a service.

    >>> accounts = Accounts([Account.of("ada", "lovelace")])
    >>> asyncio.run(accounts.check("ada", "lovelace")).name, asyncio.run(accounts.check("ada", "byron"))
    ('ada', None)
    """

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._accounts = {account.name: account for account in accounts}

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Return the accounts of a file.

        Raises:
            ValueError: a line is not of the form.
        """
        lines = [line.split(":") for line in text.splitlines() if line.strip()]
        return cls(
            [
                Account(name, bytes.fromhex(salt), bytes.fromhex(hashed), admin=rights == ["admin"])
                for name, salt, hashed, *rights in lines
            ]
        )

    def find(self, name: str) -> Account | None:
        """Return the account of `name`, if there is one."""
        return self._accounts.get(name)

    async def check(self, name: str, password: str) -> Account | None:
        """Return the account, if it is there and this is its password; it takes as long for one that is not there."""
        account = self._accounts.get(name)
        salt, expected = (account.salt, account.hash) if account else (_DUMMY, _DUMMY)
        found = await asyncio.to_thread(_hash, password, salt)  # off the loop: it takes some 50 ms
        return account if hmac.compare_digest(found, expected) else None


def _hash(password: str, salt: bytes) -> bytes:
    return scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=_COST, r=8, p=1, dklen=32)


if __name__ == "__main__":
    sys.stdout.write(Account.of(sys.argv[1], getpass.getpass()).line + "\n")
