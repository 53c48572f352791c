"""That one does something at a time with a record, in whichever process."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from infra_messaging.nats._link import LOOK, Link, only_after, was_behind
from infra_protocols import BrokerRefusedError


class Locks:
    """
    Locks of the records of one stream: a record each, at the subject of the other with one word more.

    One that is held for longer than an answer may take is somebody's who has died, and is taken from him.
    """

    def __init__(self, link: Link, stream: str) -> None:
        self._link = link
        self._stream = stream

    @asynccontextmanager
    async def lock(self, record: str) -> AsyncGenerator[None]:
        place = await self._take(f"{record}.lock")
        try:
            yield
        finally:
            await self._link.tell(f"STREAM.MSG.DELETE.{self._stream}", {"seq": place, "no_erase": True})

    async def _take(self, subject: str) -> int:
        loop = asyncio.get_running_loop()
        holder = before = 0
        until = 0.0
        while True:
            try:
                return json.loads(await self._link.store(subject, b"", only_after(before)))["seq"]
            except BrokerRefusedError as error:
                if not was_behind(error):
                    raise
            found = await self._link.last(self._stream, subject)
            before = 0
            if found is None:
                continue
            if found.place != holder:
                holder, until = found.place, loop.time() + self._link.timeout
            elif loop.time() > until:
                before = holder
                continue
            await asyncio.sleep(LOOK)
