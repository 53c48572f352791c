"""The suite of `Compressor`: what every content coding promises."""

import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, ClassVar, Final

from hypothesis import strategies as st

from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check
from infra_conformance.suite import Suite
from infra_conformance.trial import Broken, Trial, expect
from infra_protocols.compression import MAX_PIECE, Compressor, CompressStream, DecompressStream
from infra_protocols.errors import CompressionError, CorruptDataError, OutputTooLargeError, ValidationError

BAD_BYTES: Final = ("text", None, 7, ["a"], bytearray(b"x"))
BAD_SIZES: Final = (-1, 1.5, float("nan"), "1", True)
THREADS: Final = 4
SHOWN: Final = 40
"""How many bytes of data a failure shows."""
BOMB: Final = 48 * 1024 * 1024
"""How large the zeros are that a few bytes stand for, in bytes: more than twice what an engine may need."""
ROOM: Final = 16 * 1024 * 1024
"""How much more than `max_size` decompressing may take, in bytes: for the engine's window and what it makes ahead."""


class CompressorSuite(Suite[Compressor]):
    """
    Checks a `Compressor`.

    >>> from contextlib import asynccontextmanager
    >>> class TestMyCompressor(CompressorSuite):
    ...     @asynccontextmanager
    ...     async def make(self, clock):
    ...         yield MyCompressor()
    """

    supports_members: ClassVar[bool] = True
    """Whether its coding lets one compressed whole stand behind another, as gzip and zstd do."""

    def data(self, min_size: int = 0) -> st.SearchStrategy[bytes]:
        """Return a strategy of data to compress: noise, and what repeats itself, up to several pieces of it."""
        noise = st.binary(min_size=min_size, max_size=200)
        sizes = [size for size in (1, 100, 16 * 1024, 3 * MAX_PIECE + 1) if size >= min_size]
        repeated = st.builds(_repeated, st.binary(min_size=1, max_size=20), st.sampled_from(sizes))
        return noise | repeated

    def _drawn(self, trial: Trial[Compressor], min_size: int = 0) -> bytes:
        data = trial.draw(self.data(min_size))
        trial.history.note(f"data: {_shown(data)}")
        return data

    def _several(self, trial: Trial[Compressor], min_size: int, max_size: int) -> list[bytes]:
        return [self._drawn(trial) for _ in range(trial.draw(st.integers(min_size, max_size)))]

    @check("compression-01", validates="9.1")
    async def test_it_is_a_compressor(self, trial: Trial[Compressor]) -> None:
        """It has the methods of a Compressor, its streams have theirs, and its encoding is a name in lower case."""
        subject = trial.raw
        expect("isinstance(subject, Compressor)", isinstance(subject, Compressor), True)
        expect("the stream that compresses", isinstance(subject.compress_stream(), CompressStream), True)
        expect("the stream that decompresses", isinstance(subject.decompress_stream(), DecompressStream), True)
        expect("encoding", subject.encoding, str(subject.encoding).strip().lower())
        expect("encoding is blank", not subject.encoding, False)

    @check("compression-02", validates="9.1 9.4")
    async def test_round_trip(self, trial: Trial[Compressor]) -> None:
        """What was compressed decompresses to what it was, with no bound and with one that just fits."""
        data = self._drawn(trial)
        packed = trial.raw.compress(data)
        expect("compress returns bytes", isinstance(packed, bytes), True)
        _expect_data("decompress", trial.raw.decompress(packed), data)
        _expect_data("decompress, bounded", trial.raw.decompress(packed, max_size=len(data)), data)

    @check("compression-03", validates="9.1")
    async def test_same_again(self, trial: Trial[Compressor]) -> None:
        """The same data gives the same bytes, whatever was compressed in between, and whenever."""
        data, other = self._drawn(trial), self._drawn(trial)
        first = trial.raw.compress(data)
        trial.raw.compress(other)
        await trial.elapse(100 * self.tick)
        _expect_data("compress again", trial.raw.compress(data), first)

    @check("compression-04", validates="9.1")
    async def test_it_compresses(self, trial: Trial[Compressor]) -> None:
        """What repeats itself becomes small, whole and in a stream."""
        data = trial.draw(st.sampled_from([b"compress me, ", bytes(100)])) * 1000
        expect("compress makes it small", len(trial.raw.compress(data)) < len(data) // 10, True)
        stream = trial.raw.compress_stream()
        size = len(stream.compress(data)) + len(stream.finish())
        expect("a stream makes it small", size < len(data) // 10, True)

    @check("compression-05", validates="9.1")
    async def test_stream(self, trial: Trial[Compressor]) -> None:
        """A stream that was given data in chunks returns, up to its finish, what decompresses to all of it."""
        chunks = self._several(trial, 0, 4)
        _expect_data("decompress", trial.raw.decompress(_streamed(trial.raw, chunks)), b"".join(chunks))

    @check("compression-06", validates="9.1")
    async def test_flush(self, trial: Trial[Compressor]) -> None:
        """After a flush, all that was given so far can be decompressed from what was returned so far."""
        stream, reader = trial.raw.compress_stream(), trial.raw.decompress_stream()
        for chunk in [*self._several(trial, 1, 3), b"the end"]:
            got = _all(reader, stream.compress(chunk)) + _all(reader, stream.flush())
            _expect_data("decompressed after a flush", got, chunk)
        _expect_data("decompressed after the finish", _all(reader, stream.finish()), b"")
        reader.finish()

    @check("compression-07", validates="9.1")
    async def test_finished(self, trial: Trial[Compressor]) -> None:
        """A finished stream refuses everything with a CompressionError."""
        stream = trial.raw.compress_stream()
        stream.compress(b"data")
        stream.finish()
        calls = {"compress": lambda: stream.compress(b"more"), "flush": stream.flush, "finish": stream.finish}
        for name, call in calls.items():
            _refused(f"{name} after finish", call, CompressionError)

    @check("compression-10", validates="9.1")
    async def test_decompress_stream(self, trial: Trial[Compressor]) -> None:
        """However compressed data is cut up, the pieces that come of it are the data, none empty, none too large."""
        data = self._drawn(trial)
        packed = trial.raw.compress(data)
        cuts = sorted(trial.draw(st.lists(st.integers(0, len(packed)), max_size=4)))
        stream, got = trial.raw.decompress_stream(max_size=len(data)), bytearray()
        for start, end in zip([0, *cuts], [*cuts, len(packed)], strict=True):
            got += _all(stream, packed[start:end])
        stream.finish()
        _expect_data("the pieces, joined", bytes(got), data)

    @check("compression-11", validates="9.1")
    async def test_cut_short(self, trial: Trial[Compressor]) -> None:
        """Data that is cut short, down to nothing, is a CorruptDataError, whole and in a stream."""
        packed = trial.raw.compress(self._drawn(trial))
        short = packed[: trial.draw(st.integers(0, len(packed) - 1))]
        _refused("decompress", lambda: trial.raw.decompress(short), CorruptDataError)
        stream = trial.raw.decompress_stream()
        _all(stream, short)
        _refused("finish", stream.finish, CorruptDataError)

    @check("compression-12", validates="9.1")
    async def test_trailing(self, trial: Trial[Compressor]) -> None:
        """What follows the end is a CorruptDataError, whether it comes with the end or after it."""
        packed = trial.raw.compress(self._drawn(trial))
        garbage = st.sampled_from([b"\x00", b"\n", b"garbage", bytes(600)])
        more = trial.draw(garbage if self.supports_members else garbage | st.just(packed))
        _refused("decompress", lambda: trial.raw.decompress(packed + more), CorruptDataError)

        def late() -> None:
            stream = trial.raw.decompress_stream()
            _all(stream, packed)
            _all(stream, more)
            stream.finish()

        _refused("a stream", late, CorruptDataError)

    @check("compression-13", validates="9.1", requires="supports_members")
    async def test_members(self, trial: Trial[Compressor]) -> None:
        """Compressed data that stands behind other is read, too, however it is cut up."""
        parts = self._several(trial, 2, 4)
        packed = b"".join(map(trial.raw.compress, parts))
        _expect_data("decompress", trial.raw.decompress(packed), b"".join(parts))
        cut = trial.draw(st.integers(0, len(packed)))
        stream = trial.raw.decompress_stream()
        got = _all(stream, packed[:cut]) + _all(stream, packed[cut:])
        stream.finish()
        _expect_data("a stream", got, b"".join(parts))

    @check("compression-14", validates="9.1")
    async def test_noise(self, trial: Trial[Compressor]) -> None:
        """Damaged data and noise are a CorruptDataError, where they do not happen to be valid: never another error."""
        packed = trial.raw.compress(self._drawn(trial))
        place = trial.draw(st.integers(0, len(packed) - 1))
        flipped = packed[:place] + bytes([packed[place] ^ trial.draw(st.integers(1, 255))]) + packed[place + 1 :]
        for data in (flipped, trial.draw(st.binary(max_size=100))):
            try:
                trial.raw.decompress(data, max_size=10 * MAX_PIECE)
            except (CorruptDataError, OutputTooLargeError):
                continue
            except Exception as error:
                raise _wrong("decompress of damaged data", CorruptDataError, error) from error

    @check("compression-20", validates="9.1")
    async def test_bound(self, trial: Trial[Compressor]) -> None:
        """One byte more than max_size is an OutputTooLargeError, whole and in a stream, which has yielded no more."""
        data = self._drawn(trial, min_size=1)
        packed, bound = trial.raw.compress(data), len(data) - 1
        _refused("decompress", lambda: trial.raw.decompress(packed, max_size=bound), OutputTooLargeError)
        stream, got = trial.raw.decompress_stream(max_size=bound), bytearray()

        def read() -> None:
            for piece in stream.decompress(packed):
                got.extend(piece)

        _refused("a stream", read, OutputTooLargeError)
        expect("what was yielded is not too much", len(got) <= bound, True)
        _expect_data("what was yielded is the beginning", bytes(got), data[: len(got)])

    @check("compression-21", validates="9.1")
    async def test_bomb(self, trial: Trial[Compressor]) -> None:
        """A few bytes that stand for many are refused before they take more memory than max_size and a window."""
        packed = _streamed(trial.raw, [bytes(1024 * 1024)] * (BOMB // 1024 // 1024))
        bound = trial.draw(st.sampled_from([0, 1000, 1024 * 1024]))
        trial.history.note(f"{len(packed)} bytes stand for {BOMB}")
        for what, read in {
            "decompress": lambda: trial.raw.decompress(packed, max_size=bound),
            "a stream": lambda: _size(trial.raw.decompress_stream(max_size=bound), packed),
        }.items():
            taken = _memory(lambda read=read, what=what: _refused(what, read, OutputTooLargeError))
            expect(f"{what} keeps within its memory", taken < bound + ROOM, True)

    @check("compression-22", validates="9.1")
    async def test_piecemeal(self, trial: Trial[Compressor]) -> None:
        """A stream makes each piece when it is asked for: nothing of what is to come takes memory."""
        packed = _streamed(trial.raw, [bytes(1024 * 1024)] * (BOMB // 1024 // 1024))
        sizes: list[int] = []
        taken = _memory(lambda: sizes.append(_size(trial.raw.decompress_stream(), packed)))
        expect("the size of all pieces", sizes, [BOMB])
        expect("a stream keeps within its memory", taken < ROOM, True)

    @check("compression-30", validates="9.1")
    async def test_interleaved(self, trial: Trial[Compressor]) -> None:
        """Streams and calls that overlap do not disturb each other."""
        first, second, third = (self._drawn(trial) for _ in range(3))
        one, other = trial.raw.compress_stream(), trial.raw.compress_stream()
        begun = one.compress(first), other.compress(second)
        whole = trial.raw.compress(third)
        packed = begun[0] + one.finish(), begun[1] + other.finish()
        _expect_data("the call between", trial.raw.decompress(whole), third)
        readers = trial.raw.decompress_stream(), trial.raw.decompress_stream()
        cut = len(packed[0]) // 2
        got = _all(readers[0], packed[0][:cut])
        _expect_data("the other stream", _all(readers[1], packed[1]), second)
        got += _all(readers[0], packed[0][cut:])
        _expect_data("the one stream", got, first)

    @check("compression-31", validates="9.1")
    async def test_after_failure(self, trial: Trial[Compressor]) -> None:
        """A call that failed leaves nothing behind for the next."""
        data = self._drawn(trial, min_size=1)
        packed = trial.raw.compress(data)
        failing = trial.draw(
            st.sampled_from(
                [
                    ("cut short", lambda: trial.raw.decompress(packed[:-1]), CorruptDataError),
                    ("garbage", lambda: trial.raw.decompress(b"\xff" * 20), CorruptDataError),
                    ("too large", lambda: trial.raw.decompress(packed, max_size=0), OutputTooLargeError),
                ]
            )
        )
        _refused(*failing)
        _expect_data("compress afterwards", trial.raw.compress(data), packed)
        _expect_data("decompress afterwards", trial.raw.decompress(packed), data)

    @check("compression-32", validates="9.1")
    async def test_threads(self, trial: Trial[Compressor]) -> None:
        """Several threads that use it at once each get their own."""
        texts = [bytes([number]) * 5000 + self._drawn(trial) for number in range(THREADS)]
        start = Barrier(THREADS)

        def work(data: bytes) -> bool:
            start.wait()
            return all(trial.raw.decompress(trial.raw.compress(data)) == data for _ in range(3))

        with ThreadPoolExecutor(THREADS) as threads:
            expect("what each thread got is its own", list(threads.map(work, texts)), [True] * THREADS)

    @check("compression-40", validates="9.1")
    async def test_bad_arguments(self, trial: Trial[Compressor]) -> None:
        """What is not bytes, and a max_size that is no whole number from 0, are a ValidationError."""
        subject: Any = trial.raw
        bad, size = trial.draw(st.sampled_from(BAD_BYTES)), trial.draw(st.sampled_from(BAD_SIZES))
        packed = subject.compress(b"data")
        for name, call in {
            "compress": lambda: subject.compress(bad),
            "decompress": lambda: subject.decompress(bad),
            "compress of a stream": lambda: subject.compress_stream().compress(bad),
            "decompress of a stream": lambda: list(subject.decompress_stream().decompress(bad)),
        }.items():
            _refused(f"{name}({bad!r})", call, ValidationError)
        for name, call in {
            "decompress": lambda: subject.decompress(packed, max_size=size),
            "decompress_stream": lambda: subject.decompress_stream(max_size=size),
        }.items():
            _refused(f"{name} with max_size={size!r}", call, ValidationError)


def _repeated(unit: bytes, size: int) -> bytes:
    return (unit * (size // len(unit) + 1))[:size]


def _expect_data(what: str, got: bytes, want: bytes) -> None:
    if got != want:
        raise Broken(ConformanceMessages.EXPECTED.format(what=what, want=_shown(want), got=_shown(got)))


def _shown(data: object) -> str:
    if not isinstance(data, bytes) or len(data) <= SHOWN:
        return repr(data)
    return f"{data[:SHOWN]!r}... ({len(data)} bytes)"


def _streamed(compressor: Compressor, chunks: list[bytes]) -> bytes:
    stream = compressor.compress_stream()
    return b"".join([*map(stream.compress, chunks), stream.finish()])


def _pieces(stream: DecompressStream, data: bytes) -> Iterator[bytes]:
    for piece in stream.decompress(data):
        expect("a piece has from 1 to MAX_PIECE bytes", 0 < len(piece) <= MAX_PIECE, True)
        yield piece


def _all(stream: DecompressStream, data: bytes) -> bytes:
    return b"".join(_pieces(stream, data))


def _size(stream: DecompressStream, data: bytes) -> int:
    return sum(map(len, _pieces(stream, data)))


def _memory(call: Callable[[], object]) -> int:
    """Return how many bytes Python took for `call`, at the worst moment."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        call()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return most - before


def _refused(what: str, call: Callable[[], object], error: type[Exception]) -> None:
    try:
        call()
    except Broken:
        raise
    except error:
        return
    except Exception as other:
        raise _wrong(what, error, other) from other
    raise Broken(ConformanceMessages.NOT_REFUSED.format(what=what, expected=error.__name__))


def _wrong(what: str, expected: type[Exception], error: Exception) -> Broken:
    kind, text = type(error).__name__, str(error)
    return Broken(ConformanceMessages.WRONG_REFUSAL.format(what=what, expected=expected.__name__, kind=kind, text=text))
