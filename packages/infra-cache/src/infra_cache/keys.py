"""
Keys made of calls, as text: the same in every process, and equal for equal calls only.

`cachetools.keys.typedkey` tells `f(1)` from `f(1.0)` and `f(True)`. These keys go further. They tell types apart at any
depth, which `typedkey` does for the arguments alone; they tell apart what is equal and yet not the same, as `0.0` and
`-0.0`, or one moment in two time zones; they take lists, dicts and sets, which have no hash; and they are text, so that
they can leave the process. In one thing they are alike: `f(1)` and `f(x=1)` have two keys.
"""

from collections.abc import Callable

from infra_cache._arguments import function_name, key_text


def call_key[**P](function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> str:
    """
    Return the key under which `cached` keeps what `function(*args, **kwargs)` returns, where it was given no `key`.

    An argument is `None`, a `bool`, `int`, `float`, `complex`, `str`, `bytes`, `Enum`, `UUID`, `Decimal`, `date`,
    `datetime`, `time`, `timedelta`, `Path` or `range`, a class, or a `tuple`, `list`, `dict`, `set`, `frozenset`,
    `NamedTuple` or frozen dataclass of all these. A time zone is a `timezone`, or a `ZoneInfo` with a key. Subclasses
    of these are not taken, for what they add could not be seen; nor is a local class whose name another one has.

    Type parameters:
        P: the parameters of the function.

    Raises:
        ValidationError: an argument is of another type; `field` names it.

    >>> def load_user(user_id, *, fresh=False): ...
    >>> load_user.__module__ = "app.users"
    >>> call_key(load_user, 7)
    'app.users:load_user#7'
    >>> call_key(load_user, "7", fresh=True)
    "app.users:load_user('7', fresh=True)"
    >>> call_key(load_user, "7")
    'app.users:load_user/7'
    >>> call_key(load_user, object())
    Traceback (most recent call last):
    infra_protocols.ValidationError: user_id cannot be made into a cache key; ... [field='user_id', kind='object']
    """
    return key_text(function_name(function), function, args, kwargs)
