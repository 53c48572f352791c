"""The suite of `TokenStoreProtocol`: what every token store promises."""

from infra_conformance.token_concurrency import TokenConcurrencyChecks
from infra_conformance.token_entries import TokenEntryChecks
from infra_conformance.token_rotation import TokenRotationChecks
from infra_protocols.auth import StoredToken


class TokenStoreSuite[T: StoredToken](TokenEntryChecks[T], TokenRotationChecks[T], TokenConcurrencyChecks[T]):
    """
    Checks a token store.

    Without more said, its tokens are `StoredToken`s; a store of a subclass says in `token` how one is made.

    Type parameters:
        T: the tokens.

    >>> from contextlib import asynccontextmanager
    >>> class TestMyStore(TokenStoreSuite[StoredToken]):
    ...     reuse_grace = 10.0
    ...     @asynccontextmanager
    ...     async def make(self, clock):
    ...         yield MyTokenStore(reuse_grace=self.reuse_grace, clock=clock)
    """
