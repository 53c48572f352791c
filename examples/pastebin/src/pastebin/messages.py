"""Every error text of the paste service, beside those that all packages share."""

from typing import Final

from infra_protocols import ErrorMessages


class PastebinMessages(ErrorMessages):
    """
    The error texts of the paste service.

    >>> PastebinMessages.PASTE_NOT_FOUND.format(id="7f")
    'There is no paste 7f'
    >>> PastebinMessages.VALIDATION_EMPTY_VALUE.format(field="title")
    'title cannot be empty or whitespace'
    """

    # Pastes
    PASTE_NOT_FOUND: Final[str] = "There is no paste {id}"
    FIELD_MISSING: Final[str] = "{field} is required"
    TEXT_TOO_LONG: Final[str] = "{field} must not be longer than {max} characters"
    TEXT_NOT_UNICODE: Final[str] = "{field} holds a lone surrogate, which is no character"
    CONTENT_TOO_LARGE: Final[str] = "{field} must not be larger than {max} bytes, encoded as UTF-8"

    # Cache
    NOT_WRITTEN: Final[str] = "Nothing was written: the cache fails, so readers could not be told. Try again later"
    WRITE_UNSEEN: Final[str] = "It may have been written, but readers may not see it for some minutes: the cache fails"
    NOT_FORGOTTEN: Final[str] = "What the cache holds may be behind the database: %s"

    # Requests
    BODY_TOO_LARGE: Final[str] = "The body must not be larger than {max} bytes"
    BODY_CUT_SHORT: Final[str] = "The body ended before it was complete"
    JSON_MALFORMED: Final[str] = "The body is not JSON in UTF-8"
    NOT_A_JSON_OBJECT: Final[str] = "{field} must be a JSON object"
    MEDIA_TYPE_UNSUPPORTED: Final[str] = "Content-Type must be {expected}"
    ROUTE_NOT_FOUND: Final[str] = "There is nothing at {path}"
    METHOD_NOT_ALLOWED: Final[str] = "{method} is not allowed at {path}"
    INTERNAL_ERROR: Final[str] = "The service failed; its log tells more under the correlation id"
    REQUEST_FAILED: Final[str] = "Request %s failed"
    WRITE_FAILED: Final[str] = "A write failed, %s: %s"

    # Sessions
    LOGIN_FAILED: Final[str] = "Name or password is wrong"

    # Database
    DATABASE_FAILED: Final[str] = "Database {database} failed: {reason}"
    SCHEMA_TOO_NEW: Final[str] = "its schema has version {found}, this program knows versions up to {known}"

    # Events
    INBOX_FULL: Final[str] = "What was counted long ago could not be forgotten: %s"
    BROKER_AWAY: Final[str] = "Events wait, for the broker is away: %s"

    # Server command
    CANNOT_LISTEN: Final[str] = "Cannot listen: {reason}"
    NOT_A_REDIS_URL: Final[str] = "not a redis://, rediss:// or unix:// address"
    NOT_A_POSTGRES_URL: Final[str] = "not a postgresql:// address"
    TWO_DATABASES: Final[str] = "--database and --postgres do not go together"
    TWO_BROKERS: Final[str] = "--nats and --rabbitmq do not go together"
    TIERED_WITHOUT_REDIS: Final[str] = "--tiered needs --redis"
    NOT_ACCOUNTS: Final[str] = "{path} cannot be read as accounts, a line each: name:salt:hash"
    NOT_A_PORT: Final[str] = "{value!r} is not a port number from 0 to 65535"

    # Client command
    SERVICE_UNREACHABLE: Final[str] = "No answer from {url}: {reason}"
    SERVICE_REFUSED: Final[str] = "The service answered {status}: {detail}"
    ANSWER_UNREADABLE: Final[str] = "The service gave an answer that is no paste"
    CONTENT_DIFFERS: Final[str] = "Paste {id} came back different: {sent} bytes sent, {received} received"
    FILE_NOT_TEXT: Final[str] = "Not a text in UTF-8"
    FILE_UNREADABLE: Final[str] = "Cannot read it: {reason}"
    NOT_A_FOLDER: Final[str] = "{path} is not a folder"
    NOT_A_COUNT: Final[str] = "{value!r} is not a whole number above zero"
    NOT_A_URL: Final[str] = "{value!r} is not a http:// or https:// address"
