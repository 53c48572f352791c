"""What goes wrong with compressed data."""

from infra_protocols.errors.service import ServiceError


class CompressionError(ServiceError):
    """
    Data could not be compressed or decompressed.

    >>> CompressionError.error_code
    'COMPRESSION_ERROR'
    """

    error_code = "COMPRESSION_ERROR"


class CorruptDataError(CompressionError, ValueError):
    """
    What is to be decompressed is cut short, damaged, or followed by something that does not belong to it.

    >>> CorruptDataError.error_code
    'COMPRESSION_DATA_CORRUPT'
    """

    error_code = "COMPRESSION_DATA_CORRUPT"


class OutputTooLargeError(CompressionError):
    """
    More would come of what is to be decompressed than was allowed for.

    >>> OutputTooLargeError.error_code
    'COMPRESSION_OUTPUT_TOO_LARGE'
    """

    error_code = "COMPRESSION_OUTPUT_TOO_LARGE"


class UnknownEncodingError(CompressionError, LookupError):
    """
    Nobody has said how this content coding is made or read.

    >>> UnknownEncodingError.error_code
    'COMPRESSION_ENCODING_UNKNOWN'
    """

    error_code = "COMPRESSION_ENCODING_UNKNOWN"


class EncodingUnavailableError(CompressionError):
    """
    A content coding is known, but the library that it takes is not installed; the `ImportError` is the cause.

    >>> EncodingUnavailableError.error_code
    'COMPRESSION_ENCODING_UNAVAILABLE'
    """

    error_code = "COMPRESSION_ENCODING_UNAVAILABLE"


class NotAcceptableError(CompressionError):
    """
    Who asks accepts no content coding that there is, nor the content as it is.

    >>> NotAcceptableError.error_code
    'COMPRESSION_NOT_ACCEPTABLE'
    """

    error_code = "COMPRESSION_NOT_ACCEPTABLE"
