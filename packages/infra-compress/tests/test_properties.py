"""The property of the design that is about compressors."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra_compress import CompressorConfig, CompressorFactory

FACTORY = CompressorFactory()


# **Feature: infrastructure-generics-review-2025, Property 11: Compression Round-Trip**
# **Validates: Requirements 9.1, 9.4**
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@settings(max_examples=100, deadline=None)
@given(unit=st.binary(max_size=300), times=st.integers(1, 2000))
def test_what_is_compressed_comes_back(encoding: str, unit: bytes, times: int) -> None:
    data = unit * times
    compressor = FACTORY.create(CompressorConfig(encoding)).unwrap()

    assert compressor.decompress(compressor.compress(data)) == data
    assert compressor.decompress(compressor.compress(data), max_size=len(data)) == data
