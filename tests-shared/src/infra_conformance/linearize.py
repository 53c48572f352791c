"""
Whether a concurrent history could have happened one call at a time.

The search is Wing and Gong's ("Testing and verifying concurrent objects", 1993), with the memoisation of Lowe
("Testing for linearizability", 2017): a set of calls that are done, and the state they lead to, is tried once.
"""

from collections.abc import Callable, Hashable, Sequence

from infra_conformance.equality import ByEquality
from infra_conformance.history import Call

type Step[S] = Callable[[S, Call], tuple[bool, S]]
"""
Says of a state and a call whether the call may end as it did, and what the state is then. A call that never returned
has no answer to compare; one that raised is a refusal, and the model judges that too.
"""


def linearize[S](calls: Sequence[Call], initial: S, step: Step[S]) -> list[Call] | None:
    """
    Return an order of `calls` that explains every answer, or `None` when there is none.

    A call takes effect at one moment between its start and its end. One that was cancelled, or never returned, took
    effect at some moment after its start, or never.

    Type parameters:
        S: the state of the model; a step returns a new one, and leaves the old as it was.

    >>> def register(state: int, call: Call) -> tuple[bool, int]:
    ...     return (True, call.args[0]) if call.name == "set" else (call.value == state, state)
    >>> from infra_conformance.history import Ending
    >>> done = Ending.RETURNED
    >>> write = Call("A", "set", (1,), {}, started=1, ending=done, ended=4)
    >>> early = Call("B", "get", (), {}, started=2, ending=done, value=1, ended=3)
    >>> late = Call("B", "get", (), {}, started=5, ending=done, value=0, ended=6)
    >>> len(linearize([write, early], 0, register) or [])
    2
    >>> linearize([write, late], 0, register) is None
    True
    """
    ops = sorted(calls, key=lambda call: call.started)
    ends = [float("inf") if call.ended is None else call.ended for call in ops]
    must = sum(1 << index for index, call in enumerate(ops) if call.ended is not None)
    seen: set[tuple[int, ByEquality]] = set()
    ahead: list[tuple[int, S, tuple[int, ...]]] = [(0, initial, ())]
    while ahead:
        done, state, order = ahead.pop()
        if done & must == must:
            return [ops[index] for index in order]
        waiting = [index for index in range(len(ops)) if not done >> index & 1]
        horizon = min(ends[index] for index in waiting)
        # The last pushed is tried first: the earliest call is the likeliest to come next.
        for index in reversed(waiting):
            if ops[index].started > horizon:
                continue
            fits, after = step(state, ops[index])
            then = done | 1 << index
            if fits and (where := (then, ByEquality(after))) not in seen:
                seen.add(where)
                ahead.append((then, after, (*order, index)))
    return None


def linearize_by_key[S](
    calls: Sequence[Call], key: Callable[[Call], Hashable], initial: S, step: Step[S]
) -> list[Call] | None:
    """
    Return the calls of the first key whose calls cannot be put in order, or `None` when all can.

    What concerns different keys is independent, so each key is searched alone.

    Type parameters:
        S: the state of the model of one key.

    >>> linearize_by_key([], lambda call: call.args[0], 0, lambda state, call: (True, state)) is None
    True
    """
    groups: dict[Hashable, list[Call]] = {}
    for call in calls:
        groups.setdefault(key(call), []).append(call)
    return next((group for group in groups.values() if linearize(group, initial, step) is None), None)
