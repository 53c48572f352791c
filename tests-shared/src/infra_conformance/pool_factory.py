"""The suite of `ConnectionFactory`: what a pool relies on when it makes, lends and ends connections to an engine."""

import asyncio
import inspect
from collections.abc import Awaitable

from infra_conformance.messages import ConformanceMessages
from infra_conformance.pool_factory_base import LINGERS, FactoryChecks, Made, Trace
from infra_conformance.proof import check, swept
from infra_conformance.trial import Broken, Trial, expect, refused
from infra_protocols.pool import ConnectionFactory, SupportsIsAlive, SupportsReset

__all__ = ["ConnectionFactorySuite", "Trace"]


class ConnectionFactorySuite[T](FactoryChecks[T]):
    """
    Checks a `ConnectionFactory`, against the engine whose connections it makes.

    Type parameters:
        T: the connection.

    >>> from contextlib import asynccontextmanager
    >>> class TestMyFactory(ConnectionFactorySuite[object]):
    ...     real_time = True
    ...     tick = 0.1
    ...
    ...     @asynccontextmanager
    ...     async def make(self, clock):
    ...         yield MyFactory("mydb://localhost")
    ...
    ...     async def echo(self, connection, number):
    ...         return await connection.fetch("select ?", number)
    """

    # -- Create.

    @check("factory-01", validates="5.2")
    async def test_it_is_a_factory(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """It has the methods of a ConnectionFactory, and of what it supports beyond, under their names."""
        expect("isinstance(subject, ConnectionFactory)", isinstance(trial.raw, ConnectionFactory), True)
        expect("isinstance(subject, SupportsIsAlive)", isinstance(trial.raw, SupportsIsAlive), self.supports_is_alive)
        expect("isinstance(subject, SupportsReset)", isinstance(trial.raw, SupportsReset), self.supports_reset)
        names: dict[str, tuple[str, ...]] = {"create": (), "destroy": ("connection",), "validate": ("connection",)}
        for name, wanted in (names | ({"reset": ("connection",)} if self.supports_reset else {})).items():
            method = getattr(trial.raw, name)
            expect(f"{name} is a coroutine function", inspect.iscoroutinefunction(method), True)
            expect(f"parameters of {name}", tuple(inspect.signature(method).parameters)[: len(wanted)], wanted)
        if self.supports_is_alive:
            expect("is_alive is a coroutine function", inspect.iscoroutinefunction(trial.raw.is_alive), False)

    @check("factory-02", validates="5.2")
    async def test_create(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """A new connection works at once, is alive and valid, and has nothing on it."""
        async with Made(trial.subject) as made:
            connection = await made.create()
            await self.works(connection, "through a new connection")
            expect("is_alive of a new connection", self.is_alive(trial, connection), True)
            expect("validate of a new connection", await trial.subject.validate(connection), True)
            await self.is_clean(connection, "on a new connection")

    @check("factory-03", validates="5.2")
    async def test_apart(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """Connections have nothing in common: what is left on one, or ends it, is nothing to another."""
        async with Made(trial.subject) as made:
            one, other = await made.create(), await made.create()
            expect("whether two are the same", one is other, False)
            for trace in self.traces():
                await trace.leave(one)
            await self.is_clean(other, "on another connection")
            await made.destroy(one)
            await self.works(other, "through another than was destroyed")
            expect("is_alive of another", self.is_alive(trial, other), True)

    @check("factory-04", validates="5.2")
    async def test_concurrent_creates(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """Connections can be made at the same time, and used at the same time."""
        async with Made(trial.subject) as made:
            connections = await asyncio.gather(*(made.create() for _ in range(5)))
            expect("how many differ", len({id(connection) for connection in connections}), 5)
            said = await asyncio.gather(*(self.echo(each, number) for number, each in enumerate(connections)))
            expect("echo through each at once", said, [0, 1, 2, 3, 4])

    @swept("factory-05", validates="5.2", requires="can_count")
    async def test_interrupted_create(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """A create that is interrupted leaves no connection behind, and the next one works."""
        async with Made(trial.subject) as made:
            await trial.interrupt(made.create())
            await self.eventually("connections", lambda: self.count(trial.raw), len(made))
            await self.works(await made.create(), "after a create was interrupted")

    @check("factory-06", validates="5.2", requires="can_refuse")
    async def test_outage(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """Where the other side takes no connection create raises and leaves nothing; it works as soon as it does."""
        async with Made(trial.subject) as made:
            await self.refuse(trial.raw)
            try:
                for _ in range(2):
                    await refused("create in an outage", trial.subject.create(), Exception)
                await self.all_gone(trial, "after a create failed")
            finally:
                await self.accept(trial.raw)
            await self.works(await made.create(), "after the outage")

    # -- Validate and is_alive.

    @check("factory-10", validates="5.2")
    async def test_validate(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """Validate says True of a connection that works, as often as it is asked, and leaves nothing on it."""
        async with Made(trial.subject) as made:
            connection = await made.create()
            for _ in range(3):
                expect("validate", await trial.subject.validate(connection), True)
                await self.is_clean(connection, "after validate")
                await self.works(connection, "after validate")

    @check("factory-11", validates="5.2", requires="can_cut")
    async def test_validate_dead(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """Validate says False, or raises, when the other side has ended the connection; of others it says True."""
        async with Made(trial.subject) as made:
            one, other = await made.create(), await made.create()
            await self.cut(one)
            expect("validate after the other side ended it", await _says_yes(trial.subject.validate(one)), False)
            expect("validate of another", await trial.subject.validate(other), True)
            await made.end(one)

    @check("factory-12", validates="5.2")
    async def test_validate_destroyed(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """Validate says False, or raises, when the connection was destroyed."""
        async with Made(trial.subject) as made:
            connection = await made.create()
            await made.destroy(connection)
            expect("validate after destroy", await _says_yes(trial.subject.validate(connection)), False)

    @swept("factory-13", validates="5.2")
    async def test_interrupted_validate(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """A validate that is interrupted hands its answer to nobody else, and the connection can be destroyed."""
        async with Made(trial.subject) as made:
            connection, other = await made.create(), await made.create()
            await trial.interrupt(trial.subject.validate(connection))
            await self.no_answer_is_mixed_up(trial, connection)
            await self.works(other, "through another")
            await made.end(connection)
            await made.destroy(other)
            await self.all_gone(trial, "after destroy")

    @check("factory-20", validates="5.2", requires="supports_is_alive")
    async def test_destroyed_is_not_alive(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """A connection that was destroyed is not alive."""
        async with Made(trial.subject) as made:
            connection = await made.create()
            await self.works(connection, "before destroy")
            expect("is_alive before destroy", trial.raw.is_alive(connection), True)
            await made.destroy(connection)
            expect("is_alive after destroy", trial.raw.is_alive(connection), False)

    @check("factory-21", validates="5.2", requires="supports_is_alive can_cut")
    async def test_cut_is_not_alive(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """A connection that the other side has ended is soon not alive, though nobody uses it; others are."""
        async with Made(trial.subject) as made:
            one, other = await made.create(), await made.create()
            await self.works(one, "before the other side ends it")
            await self.cut(one)

            async def look() -> bool:
                return trial.raw.is_alive(one)

            await self.eventually("is_alive after the other side ended it", look, want=False)
            expect("is_alive of another", trial.raw.is_alive(other), True)
            await made.end(one)

    # -- Reset.

    @check("factory-30", validates="5.4", requires="supports_reset")
    async def test_reset_keeps(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """A connection that was reset works, is alive and valid, as often as it is reset."""
        async with Made(trial.subject) as made:
            connection = await made.create()
            for _ in range(3):
                await self.works(connection, "before reset")
                await trial.raw.reset(connection)
                expect("is_alive after reset", self.is_alive(trial, connection), True)
                expect("validate after reset", await trial.subject.validate(connection), True)

    @check("factory-31", validates="5.4", requires="supports_reset")
    async def test_reset_cleans(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """Reset takes everything off a connection that a borrower may leave on it, and it works as before."""
        if not self.traces():
            raise Broken(ConformanceMessages.NO_TRACES)
        async with Made(trial.subject) as made:
            connection = await made.create()
            for traces in [*([trace] for trace in self.traces()), self.traces()]:
                for trace in traces:
                    await trace.leave(connection)
                    expect(f"whether there is {trace.name} before reset", await trace.is_left(connection), True)
                await trial.raw.reset(connection)
                expect("is_alive after reset", self.is_alive(trial, connection), True)
                await self.is_clean(connection, "after reset")
                await self.works(connection, "after reset")

    @check("factory-32", validates="5.4", requires="supports_reset can_cut")
    async def test_reset_dead(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """Where the other side has ended the connection, reset raises, or it is not alive afterwards."""
        async with Made(trial.subject) as made:
            connection = await made.create()
            for trace in self.traces():
                await trace.leave(connection)
            await self.cut(connection)
            try:
                await trial.raw.reset(connection)
            except Exception as error:
                trial.history.note(f"reset raised {type(error).__name__}")
            else:
                expect("is_alive after a reset that did not raise", self.is_alive(trial, connection), False)
            await made.end(connection)

    @swept("factory-33", validates="5.4", requires="supports_reset")
    async def test_interrupted_reset(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """A connection whose reset was interrupted can be destroyed, and no other is the worse for it."""
        async with Made(trial.subject) as made:
            connection, other = await made.create(), await made.create()
            for trace in self.traces():
                await trace.leave(connection)
            await trial.interrupt(trial.raw.reset(connection))
            await made.end(connection)
            await self.works(other, "through another")
            await made.destroy(other)
            await self.all_gone(trial, "after destroy")

    # -- Borrowers that are cancelled.

    @check("factory-40", validates="5.4", requires="can_linger")
    async def test_cancelled_call(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """After a call was cancelled while its answer was to come, nobody ever reads that answer for another."""
        async with Made(trial.subject) as made:
            for wait in (0, 2 * LINGERS):
                connection = await made.create()
                call = asyncio.create_task(self.linger(connection, 3))
                await trial.elapse(self.tick)
                call.cancel()
                await asyncio.wait((call,))
                expect("whether the call was cancelled", call.cancelled(), True)
                await trial.elapse(wait * self.tick)
                await self.no_answer_is_mixed_up(trial, connection)
                await made.end(connection)

    @swept("factory-41", validates="5.4")
    async def test_interrupted_call(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """After a call was interrupted, wherever it was, nobody ever reads its answer for another."""
        async with Made(trial.subject) as made:
            connection = await made.create()
            await trial.interrupt(self.echo(connection, 3))
            await self.no_answer_is_mixed_up(trial, connection)
            await made.end(connection)

    # -- Destroy.

    @check("factory-50", validates="5.2", requires="can_count")
    async def test_destroy(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """Destroy ends the connection on the other side too, and no other."""
        async with Made(trial.subject) as made:
            connections = [await made.create() for _ in range(3)]
            for left, connection in zip((2, 1, 0), connections, strict=True):
                await self.works(connection, "before destroy")
                await made.destroy(connection)
                await self.eventually("connections after destroy", lambda: self.count(trial.raw), left)

    @check("factory-51", validates="5.2")
    async def test_destroy_twice(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """To destroy a connection again does nothing."""
        async with Made(trial.subject) as made:
            one, other = await made.create(), await made.create()
            await made.destroy(one)
            await trial.subject.destroy(one)
            await self.works(other, "after another was destroyed twice")

    @check("factory-52", validates="5.2")
    async def test_destroy_in_any_state(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """A connection can be destroyed with whatever is left on it, in the middle of a call, and when it is dead."""
        async with Made(trial.subject) as made:
            for trace in self.traces():
                await trace.leave(connection := await made.create())
                await made.end(connection)
            if self.can_linger:
                connection = await made.create()
                call = asyncio.create_task(self.linger(connection, 3))
                await trial.elapse(self.tick)
                await made.end(connection)
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
            if self.can_cut:
                await self.cut(connection := await made.create())
                await made.end(connection)
            await self.all_gone(trial, "after destroy")
            await self.works(await made.create(), "afterwards")

    @swept("factory-53", validates="5.2", requires="can_count")
    async def test_interrupted_destroy(self, trial: Trial[ConnectionFactory[T]]) -> None:
        """A destroy that is interrupted ends the connection all the same: nobody comes back to it."""
        async with Made(trial.subject) as made:
            connection = await made.create()
            await trial.interrupt(made.destroy(connection))
            await self.all_gone(trial, "after a destroy was interrupted")


async def _says_yes(validate: Awaitable[bool]) -> bool:
    try:
        return await validate
    except Exception:
        return False
