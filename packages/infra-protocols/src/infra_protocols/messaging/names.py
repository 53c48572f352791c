"""What keys, ids and groups may be, so that every engine can carry them as they are."""

import re
from typing import Final

from infra_protocols.errors import ValidationError
from infra_protocols.validation import require_match
from infra_result import Result

# As the value of a header, and not empty.
_KEY: Final = re.compile(r"(?!\s)[^\x00-\x1f\x7f\ud800-\udfff]{1,1000}(?<!\s)")
_ID: Final = re.compile(r"(?!\s)[^\x00-\x1f\x7f\ud800-\udfff]{1,200}(?<!\s)")
_GROUP: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def require_key(key: object) -> Result[str, ValidationError]:
    """
    Return `key` if it is the key of a message: up to 1000 characters, as in the value of a header.

    >>> require_key("customer 7").is_ok(), require_key("").is_ok(), require_key("7\\n").is_ok()
    (True, False, False)
    """
    return require_match(key, "key", _KEY)


def require_message_id(id: object) -> Result[str, ValidationError]:
    """
    Return `id` if it is the id of a message: up to 200 characters, as in the value of a header.

    >>> require_message_id("order 7").is_ok(), require_message_id(" ").is_ok()
    (True, False)
    """
    return require_match(id, "id", _ID)


def require_group(group: object) -> Result[str, ValidationError]:
    """
    Return `group` if it is the name of a group: one word as in a topic, of up to 64 characters.

    >>> require_group("shipping").is_ok(), require_group("shipping.eu").is_ok()
    (True, False)
    """
    return require_match(group, "group", _GROUP)
