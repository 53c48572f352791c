"""The names of content codings (RFC 9110, section 8.4.1)."""

import re
from typing import Final

from infra_compress.messages import CompressMessages
from infra_protocols import ValidationError, require_match
from infra_result import Err, Ok, Result

IDENTITY: Final = "identity"
"""What stands for no coding at all."""
ANY: Final = "*"
"""What stands in Accept-Encoding for every coding that is not named."""
TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
"""What a name looks like (RFC 9110, section 5.6.2)."""

_NAME: Final = re.compile(TOKEN)
ALIASES: Final = {"x-gzip": "gzip", "x-compress": "compress"}
"""Names of old, to be taken for those of today."""


def canonical(name: str) -> str:
    """Return the name by which a coding is known here: lower case, and without the `x-` of old."""
    name = name.lower()
    return ALIASES.get(name, name)


def require_coding(name: object, field: str) -> Result[str, ValidationError]:
    """Accept the name of a coding; `*` and `identity` are none."""
    return require_match(name, field, _NAME).map(canonical).flat_map(lambda name: _no_stand_in(name, field))


def _no_stand_in(name: str, field: str) -> Result[str, ValidationError]:
    if name in (ANY, IDENTITY):
        message = CompressMessages.VALIDATION_INVALID_FORMAT.format(field=field)
        return Err(ValidationError(message, field=field, kind="str"))
    return Ok(name)
