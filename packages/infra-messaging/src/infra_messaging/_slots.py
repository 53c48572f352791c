"""Into which slot a message falls: one rule for all engines, so that every publisher puts it in the same partition."""

from zlib import crc32

from infra_protocols.messaging.broker import SLOTS


def slot(key: str | None, id: str) -> int:
    return crc32((id if key is None else key).encode()) % SLOTS
