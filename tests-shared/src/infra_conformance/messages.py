"""What the kit says, when a promise is broken or when it is used wrongly."""

from typing import Final

from infra_protocols.messages import ErrorMessages


class ConformanceMessages(ErrorMessages):
    """
    The texts of the kit.

    >>> ConformanceMessages.EXPECTED.format(what="get", want=1, got=2)
    'get: expected 1, got 2'
    """

    EXPECTED: Final[str] = "{what}: expected {want}, got {got}"
    EXPECTED_MEMBERS: Final[str] = "{what}: expected, in any order, {want}, got {got}"
    WAITED: Final[str] = "{what}: it waited for the loader"
    NOT_REFUSED: Final[str] = "{what}: expected {expected}, but it was accepted"
    WRONG_REFUSAL: Final[str] = "{what}: expected {expected}, got {kind}: {text}"
    DEADLOCK: Final[str] = (
        "the subject waits for something that can never happen"
        " (a subject that uses threads or sockets declares real_time = True)"
    )
    TOO_LONG: Final[str] = "the subject did not finish within {budget:g} s"
    SPINS: Final[str] = "the subject waits busily: the event loop turned {turns} times and no time passed"
    TASKS_LEFT: Final[str] = "after close, tasks are left: {tasks}"
    TIMERS_LEFT: Final[str] = "after close, timers are left: {timers}"
    LOOP_ERROR: Final[str] = "the event loop reported: {text}"
    FORGOTTEN: Final[str] = "after close, Python warned: {text}"
    LEAKED_CANCEL: Final[str] = "a call that nobody cancelled ended in CancelledError"
    SWALLOWED_CANCEL: Final[str] = "the call, {where}, swallowed its cancellation and returned {result}"
    CANCEL_REPLACED: Final[str] = "the call, {where}, turned its cancellation into {kind}: {text}"
    NEVER_INTERRUPTED: Final[str] = "the scenario never called trial.interrupt"
    INTERRUPTED: Final[str] = "interrupted at suspension point {point}, {moment}"
    NOT_INTERRUPTED: Final[str] = "not interrupted"
    PASSED_THROUGH: Final[str] = "the call {ending}, {where}"
    NO_CALLS: Final[str] = "(no call was made)"
    NO_SWEEP: Final[str] = "trial.interrupt is for sweeps"
    NO_DRAWS: Final[str] = "only a check by examples draws from its trial"
    LACKS: Final[str] = "declared: {capability} = False"
    NO_ORDER: Final[str] = "no order of these calls explains their answers"
    NO_TRACES: Final[str] = "a factory that supports reset says in traces() what reset takes off a connection"
    POOL_TOO_MANY: Final[str] = "create was called with {bound} connections, of which there may be no more"
    POOL_NOT_MADE: Final[str] = "{connection} is none that the factory has made"
    POOL_WRONG_STATE: Final[str] = "{connection} was {what} while it was {state}"
    POOL_NO_CONNECTION: Final[str] = "acquire: expected a connection, got {kind}: {text}"
    POOL_OUT_OF_TURN: Final[str] = "borrower {later} was served while borrower {first} waits, who came before"
    POOL_LASTED: Final[str] = "{what}: expected it to take {want:g} s, it took {got:g} s"
    BROKER_NOT_ONCE: Final[str] = "{what}: {missing} are missing ({least}), {extra} are too many ({most})"
    BROKER_WAITS: Final[str] = "{what}: not as full jitter has it, from {least:g} to {most:g}, {mean:g} on the average"
    BROKER_OUT_OF_ORDER: Final[str] = "of the key {key!r}, {then} was handled after {first}, or before that was settled"
    CHECK_RAISED: Final[str] = "a health check raised {kind}, where it has to return a result"
    IGNORES_CANCEL: Final[str] = "the check was cancelled and went on"
    TELLS_SECRET: Final[str] = "{secret!r} must not be told: {where}"
    TOOK: Final[str] = "it took {took:g} s, and must not take more than {most:g} s"
    ATTACK_RAISED: Final[str] = "verify of a token with {name} raised {kind}"
    UNKNOWN_ID: Final[str] = "{suite} declares a known failure for {id}, which is no check of its suite"
    NO_ENGINE: Final[str] = (
        "{engine} is not to be had: set {variable}, or start it on port {port}, or put {binary} on the PATH"
    )
    ENGINE_SILENT: Final[str] = "{engine} was started on port {port} but ended, or did not answer within {seconds} s"
    NO_BINARY: Final[str] = "{engine} is not to be had: put {binary} on the PATH"
    NO_USER: Final[str] = "{engine} is not to be had: it refuses to be root's, and there is no user {user} to be"
    NO_CLUSTER: Final[str] = "{engine} could make no folder for its data:\n{output}"
    PASSWORD_ASKED: Final[str] = "the server asks {user} for a password"
    ENGINE_STAYS: Final[str] = "{engine} was told to stop and did not within {seconds} s"
    ENGINE_DOWN: Final[str] = "{engine} does not run"
    NEVER_SO: Final[str] = "{what}: not so within {seconds} s"
    NO_CHECKER: Final[str] = "{checker} is not installed: where its view of types is tested, it has to be"
    CHECKER_FAILED: Final[str] = "{checker} could not check:\n{output}"
    OTHER_FINDINGS: Final[str] = "{checker}: expected of the planted fault {rules}, and no more; it finds:{found}"
