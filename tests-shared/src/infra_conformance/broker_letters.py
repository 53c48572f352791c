"""What a broker promises of a message that no handler could take: it becomes a dead letter, and is never lost."""

import asyncio
from dataclasses import replace
from typing import Any, Final

from infra_conformance.broker_base import BrokerChecks
from infra_conformance.broker_desk import Brokers, Seen, Sorry, failing
from infra_conformance.proof import check
from infra_conformance.trial import Trial, expect, refused
from infra_protocols.errors import BrokerClosedError, EntityExistsError, EntityNotFoundError, ValidationError
from infra_protocols.messaging import DeadLetter, DeadLetterQueue, MessageBroker, Subscription

TOPIC: Final = "orders.new"
GROUP: Final = "shipping"
NEVER: Final = 1_000_000


class LetterChecks[TMessage](BrokerChecks[TMessage]):
    """
    The checks of dead letters.

    Type parameters:
        TMessage: the messages.
    """

    async def dead(
        self,
        trial: Trial[Brokers[TMessage]],
        broker: MessageBroker[TMessage],
        messages: list[TMessage],
        deliveries: int = 1,
        group: str = GROUP,
    ) -> tuple[list[DeadLetter[TMessage]], Subscription]:
        """Return the letters of `messages`, in order, and the member whose handler failed; it has left."""
        consumer = self.consumer(trial, "the failing", failing(NEVER))
        member = await broker.subscribe(TOPIC, consumer, group=group, **self.prompt(max_deliveries=deliveries))
        letters = self.letters(trial, broker)
        for count, message in enumerate(messages, len(await letters.peek(1000)) + 1):
            await broker.publish(TOPIC, message, key="ada", headers={"tenant": "acme"})
            await self.until_letters(letters, count)
        await member.unsubscribe()
        return (await letters.peek(1000))[-len(messages) :], member

    async def until_letters(self, letters: DeadLetterQueue[TMessage], count: int) -> None:
        """Wait until there are `count` letters."""

        async def there() -> bool:
            return len(await letters.peek(1000)) == count

        await self.until_told(f"there are {count} dead letters", there)

    @check("broker-44", validates="10.4")
    async def test_letter(self, trial: Trial[Brokers[TMessage]]) -> None:
        """After max_deliveries a message is a dead letter, which tells what it was and why, and comes no more."""
        broker, message = await self.broker(trial), self.message(1)
        consumer = self.consumer(trial, act=failing(NEVER))
        member = await broker.subscribe(TOPIC, consumer, group=GROUP, **self.prompt(max_deliveries=3))
        began = trial.now()
        id = await broker.publish(TOPIC, message, key="ada", headers={"tenant": "acme"})
        letters = self.letters(trial, broker)
        await self.until_letters(letters, 1)
        expect("the attempts that were made", [seen.attempt for seen in consumer.seen], [1, 2, 3])
        (letter,) = await letters.peek()
        expect("message", letter.message, message)
        told = (letter.message_id, letter.topic, letter.key, letter.group, letter.attempts)
        expect("message_id, topic, key, group, attempts", told, (id, TOPIC, "ada", GROUP, 3))
        expect("the headers", dict(letter.headers), dict(consumer.seen[0].headers))
        expect("error", letter.error, Sorry.__name__)
        expect("whether reason tells what was raised", "not at try 3" in letter.reason, True)
        expect("whether there is data", letter.data is not None, self.encodes)
        order = [began, letter.first_failed_at, letter.last_failed_at, trial.now()]
        expect("whether the times are in order", order, sorted(order))
        apart = (letter.last_failed_at - letter.first_failed_at).total_seconds()
        waited = consumer.seen[2].began - consumer.seen[0].began
        if not self.real_time:
            expect("whether the failures are as far apart as the deliveries", abs(apart - waited) <= self.slack, True)
        await self.nothing_waits(trial, broker, [member], TOPIC)
        expect("how often it was handled", len(consumer.seen), 3)

    @check("broker-45", validates="10.4")
    async def test_letters_of_groups(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A message that two groups could not handle is two letters; a third, which could, is not concerned."""
        broker, message = await self.broker(trial), self.message(1)
        for group in ("a", "b"):
            await broker.subscribe(TOPIC, self.consumer(trial, group, failing(NEVER)), group=group, max_deliveries=1)
        well = self.consumer(trial, "the well")
        await broker.subscribe(TOPIC, well, group="c")
        await broker.publish(TOPIC, message)
        letters = self.letters(trial, broker)
        await self.until_letters(letters, 2)
        found = await letters.peek()
        expect("the groups of the letters", {letter.group for letter in found}, {"a", "b"})
        expect("how many ids they have", len({letter.id for letter in found}), 2)
        await self.until_handled([message], well)

    @check("broker-46", validates="10.4")
    async def test_letter_without_group(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A subscription without a group has dead letters too, whose group is None; they outlast it."""
        broker, message = await self.broker(trial), self.message(1)
        member = await broker.subscribe(TOPIC, self.consumer(trial, act=failing(NEVER)), max_deliveries=1)
        await broker.publish(TOPIC, message)
        letters = self.letters(trial, broker)
        await self.until_letters(letters, 1)
        await member.unsubscribe()
        (letter,) = await letters.peek()
        expect("message and group", (letter.message, letter.group), (message, None))
        expect("replay", await letters.replay(letter.id), False)
        expect("how many letters there are", len(await letters.peek()), 1)

    @check("broker-47", requires="can_lose_member shares_engine")
    async def test_never_neither(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Wherever a member is lost while a message becomes a dead letter, the message is there or the letter is."""
        message = self.message(1)
        for turns in range(8 if self.real_time else 30):
            broker = await self.broker(trial, "A")
            topic = f"orders.n{turns}"
            failed = asyncio.Event()

            async def fail(_: Seen[TMessage], failed: asyncio.Event = failed) -> None:
                failed.set()
                raise Sorry("for ever")

            failing_one = self.consumer(trial, f"the failing {turns}", fail)
            lease = 2 * self.tick
            await broker.subscribe(topic, failing_one, group=GROUP, max_deliveries=1, lease=lease)
            await broker.publish(topic, message)
            await self.happens("the handler has failed", failed)
            await self.nap(turns)
            trial.history.note(f"A is lost, {turns} turns after")
            await trial.raw.lose(self.unwrapped(broker))
            other = await self.broker(trial, "B")
            heir = self.consumer(trial, "the heir")
            await other.subscribe(topic, heir, group=GROUP, lease=lease)
            letters = self.letters(trial, other)

            async def there(topic: str = topic, letters: DeadLetterQueue[TMessage] = letters) -> bool:
                return any(letter.topic == topic for letter in await letters.peek(1000))

            async def somewhere(heir: Any = heir, there: Any = there) -> bool:
                return bool(heir.handled) or await there()

            await self.until_told("the message is handled, or a letter", somewhere)

    async def nap(self, turns: int) -> None:
        """Let what runs get on by so many turns; where time is real, for about as long as a way to the engine takes."""
        for _ in range(turns):
            await asyncio.sleep(0.0005 if self.real_time else 0)

    @check("broker-48", requires="encodes")
    async def test_undecodable(self, trial: Trial[Brokers[TMessage]]) -> None:
        """What cannot be decoded is a dead letter at once, with its bytes; no handler is called, and others go on."""
        broker = await self.broker(trial)
        consumer = self.consumer(trial)
        member = await broker.subscribe(TOPIC, consumer, group=GROUP)
        await broker.publish(TOPIC, self.message(1))
        await trial.raw.publish_raw(TOPIC, b"\xff{")
        await broker.publish(TOPIC, self.message(2))
        await self.until_handled(self.some(2, first=1), consumer)
        letters = self.letters(trial, broker)
        await self.until_letters(letters, 1)
        (letter,) = await letters.peek()
        expect("message, data, group", (letter.message, letter.data, letter.group), (None, b"\xff{", GROUP))
        expect("topic", letter.topic, TOPIC)
        expect("whether error and reason tell something", bool(letter.error and letter.reason), True)
        self.once_each("what was handled", self.some(2, first=1), consumer)
        await self.nothing_waits(trial, broker, [member], TOPIC)
        expect("how many letters there are", len(await letters.peek()), 1)

    @check("broker-56", requires="encodes supports_partitions")
    async def test_undecodable_in_partition(self, trial: Trial[Brokers[TMessage]]) -> None:
        """What cannot be decoded holds up nothing in its partition."""
        broker = await self.broker(trial)
        consumer = self.consumer(trial)
        await broker.subscribe(TOPIC, consumer, group=GROUP, partitions=1)
        for number in range(3):
            await trial.raw.publish_raw(TOPIC, b"\xff{")
            await broker.publish(TOPIC, self.message(number), key="ada")
        await self.until_handled(self.some(3), consumer)
        expect("what was handled, in order", consumer.messages, self.some(3))
        await self.until_letters(self.letters(trial, broker), 3)

    @check("broker-49")
    async def test_peek(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Peek returns the oldest letters first, so many as it is asked for, and leaves them."""
        broker, messages = await self.broker(trial), self.some(5)
        await self.dead(trial, broker, messages)
        letters = self.letters(trial, broker)
        for limit, count in ((2, 2), (5, 5), (100, 5)):
            found = [letter.message for letter in await letters.peek(limit)]
            expect(f"peek({limit})", found, messages[:count])
        wrong: Any
        for wrong in (0, -1):
            refusal = await refused(f"peek({wrong})", letters.peek(wrong), ValidationError)
            expect("the field that is refused", refusal.field, "limit")

    @check("broker-50")
    async def test_replay(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A letter that is replayed is delivered to its group alone, as if for the first time, and is gone."""
        broker, messages = await self.broker(trial), self.some(2)
        bystander = self.consumer(trial, "the bystander")
        await broker.subscribe(TOPIC, bystander, group="other")
        found, _ = await self.dead(trial, broker, messages, deliveries=2)
        mended = self.consumer(trial, "the mended")
        await broker.subscribe(TOPIC, mended, group=GROUP)
        letters = self.letters(trial, broker)
        expect("replay", await letters.replay(found[0].id), True)
        await self.until_handled([messages[0]], mended)
        (seen,) = mended.seen
        got = (seen.id, seen.topic, seen.key, seen.group, seen.attempt)
        expect("id, topic, key, group, attempt", got, (found[0].message_id, TOPIC, "ada", GROUP, 1))
        expect("its header", seen.headers.get("tenant"), "acme")
        expect("what is left", [letter.message for letter in await letters.peek()], messages[1:])
        expect("replay of a letter that is gone", await letters.replay(found[0].id), False)
        expect("replay of a letter that never was", await letters.replay("nobody"), False)
        await self.until_handled(messages, bystander)
        await self.only_the_newest(broker, TOPIC, mended, bystander)
        self.once_each("what the other group was given", [*messages, self.message(999_999)], bystander)

    @check("broker-51")
    async def test_replay_waits(self, trial: Trial[Brokers[TMessage]]) -> None:
        """What is replayed while no member is there waits for one; it may become a dead letter anew."""
        broker, message = await self.broker(trial), self.message(1)
        (letter,), _ = await self.dead(trial, broker, [message], deliveries=2)
        letters = self.letters(trial, broker)
        expect("replay", await letters.replay(letter.id), True)
        expect("what is left", await letters.peek(), [])
        again = self.consumer(trial, "the failing again", failing(NEVER))
        await broker.subscribe(TOPIC, again, group=GROUP, **self.prompt(max_deliveries=3))
        await self.until_letters(letters, 1)
        expect("the attempts that were made", [seen.attempt for seen in again.seen], [1, 2, 3])
        (new,) = await letters.peek()
        expect("message, attempts", (new.message, new.attempts), (message, 3))

    @check("broker-52")
    async def test_replay_to_nobody(self, trial: Trial[Brokers[TMessage]]) -> None:
        """A letter whose group is forgotten stays, and its replay says False."""
        broker, message = await self.broker(trial), self.message(1)
        (letter,), member = await self.dead(trial, broker, [message])
        again = await broker.subscribe(TOPIC, self.consumer(trial), group=GROUP)
        await again.unsubscribe(forget=True)
        letters = self.letters(trial, broker)
        expect("replay", await letters.replay(letter.id), False)
        expect("what is left", [each.message for each in await letters.peek()], [message])
        expect("active, of the member", member.active, False)

    @check("broker-53", validates="1.1")
    async def test_repository(self, trial: Trial[Brokers[TMessage]]) -> None:
        """The letters are a Repository, and discard drops one."""
        broker, messages = await self.broker(trial), self.some(3)
        found, _ = await self.dead(trial, broker, messages)
        letters = self.letters(trial, await self.beside(trial, broker))
        first, second, third = found
        expect("get", await letters.get(first.id), first)
        expect("get of what is not there", await letters.get("nobody"), None)
        expect("exists, of both", (await letters.exists(first.id), await letters.exists("nobody")), (True, False))
        expect("get_all", sorted(each.id for each in await letters.get_all()), sorted(each.id for each in found))
        await refused("create of one that is there", letters.create(first), EntityExistsError)
        expect("discard", await letters.discard(first.id), True)
        expect("discard, again", await letters.discard(first.id), False)
        expect("delete", await letters.delete(second.id), True)
        expect("delete, again", await letters.delete(second.id), False)
        await refused("update of one that is gone", letters.update(second), EntityNotFoundError)
        expect("what is left", await letters.peek(), [third])
        expect("create", await letters.create(first), first)
        expect("get of what was created", await letters.get(first.id), first)
        changed = _noted(third, "mended")
        expect("update", await letters.update(changed), changed)
        expect("get of what was updated", await letters.get(third.id), changed)
        expect("replay of what was created", await letters.replay(first.id), True)

    @check("broker-102", validates="1.1")
    async def test_letters_at_once(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Of two creates at once one fails; what is updated while it is discarded is gone."""
        broker, messages = await self.broker(trial), self.some(1)
        (letter,), _ = await self.dead(trial, broker, messages)
        letters = self.letters(trial, broker)
        beside = self.letters(trial, await self.beside(trial, broker))
        changed = _noted(letter, "changed")
        for _ in range(3):
            _, gone = await asyncio.gather(beside.update(changed), letters.discard(letter.id), return_exceptions=True)
            expect("discard, while it is updated", gone, True)
            expect("what is left", await letters.peek(), [])
            creates = (letters.create(letter), beside.create(changed))
            outcomes = await asyncio.gather(*creates, return_exceptions=True)
            made = [outcome for outcome in outcomes if isinstance(outcome, DeadLetter)]
            expect("how many of two creates succeed", len(made), 1)
            failed = [outcome for outcome in outcomes if isinstance(outcome, EntityExistsError)]
            expect("how many of two creates find that there is one", len(failed), 1)
            expect("what is kept", await letters.peek(), made)

    @check("broker-54")
    async def test_letters_of_closed(self, trial: Trial[Brokers[TMessage]]) -> None:
        """The letters of a broker that is not open are not to be had."""
        broker = await self.broker(trial)
        (letter,), _ = await self.dead(trial, broker, [self.message(1)])
        letters = self.letters(trial, broker)
        await broker.close()
        unopened = self.letters(trial, await trial.raw.make())
        for each in (letters, unopened):
            for name, call in _calls(each, letter).items():
                await refused(f"{name} of the letters of a broker that is not open", call, BrokerClosedError)

    @check("broker-55")
    async def test_decided_by_the_last(self, trial: Trial[Brokers[TMessage]]) -> None:
        """The letter tells of the last failure, of whichever member that was, and of the deliveries to all members."""
        broker, message = await self.broker(trial), self.message(1)

        async def fail_first(seen: Seen[TMessage]) -> None:
            raise KeyError("first")

        async def fail_last(seen: Seen[TMessage]) -> None:
            raise ValueError("last")

        first = self.consumer(trial, "the first", fail_first)
        long = self.patience * 50
        member = await broker.subscribe(
            TOPIC, first, group=GROUP, max_deliveries=3, retry_delay=long, retry_delay_max=long
        )
        await broker.publish(TOPIC, message)
        await self.until("the first has failed", lambda: first.seen and first.seen[0].ended)
        await member.unsubscribe()
        last = self.consumer(trial, "the last", fail_last)
        await broker.subscribe(TOPIC, last, group=GROUP, **self.prompt(max_deliveries=3))
        letters = self.letters(trial, broker)
        await self.until_letters(letters, 1)
        (letter,) = await letters.peek()
        expect("error", letter.error, "ValueError")
        counted = [seen.attempt for seen in last.seen]
        expect("whether the attempts go on, one too many at the most", counted in ([2, 3], [3]), True)
        expect("attempts", letter.attempts, 3)


def _noted[TMessage](letter: DeadLetter[TMessage], reason: str) -> DeadLetter[TMessage]:
    return replace(letter, reason=reason)


def _calls(letters: DeadLetterQueue[Any], letter: DeadLetter[Any]) -> dict[str, Any]:
    return {
        "peek": letters.peek(),
        "replay": letters.replay(letter.id),
        "discard": letters.discard(letter.id),
        "get": letters.get(letter.id),
        "get_all": letters.get_all(),
        "create": letters.create(letter),
        "update": letters.update(letter),
        "delete": letters.delete(letter.id),
        "exists": letters.exists(letter.id),
    }
