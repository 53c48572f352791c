"""The four shapes that the components of a service have."""

from typing import Protocol, runtime_checkable

from infra_protocols.errors import ServiceError
from infra_result import Result


@runtime_checkable
class Repository[TEntity, TId](Protocol):
    """
    Holds entities, each under an id of its own.

    An entity that is handed out is a snapshot: changing it changes nothing in the repository.
    An operation that raises, or that is cancelled, happened wholly or not at all.

    Type parameters:
        TEntity: what is kept.
        TId: what names one entity; it is part of the entity, or given to it by `create`.

    >>> class Notes:
    ...     def __init__(self) -> None:
    ...         self._notes: dict[int, str] = {}
    ...     async def get(self, id: int) -> str | None: return self._notes.get(id)
    ...     async def get_all(self) -> list[str]: return list(self._notes.values())
    ...     async def create(self, entity: str) -> str: ...
    ...     async def update(self, entity: str) -> str: ...
    ...     async def delete(self, id: int) -> bool: return self._notes.pop(id, None) is not None
    ...     async def exists(self, id: int) -> bool: return id in self._notes
    >>> isinstance(Notes(), Repository)
    True
    """

    async def get(self, id: TId) -> TEntity | None:
        """Return the entity with this id, or `None` when there is none."""
        ...

    async def get_all(self) -> list[TEntity]:
        """Return every entity once, in no promised order, in a list that is the caller's own."""
        ...

    async def create(self, entity: TEntity) -> TEntity:
        """
        Add a new entity and return it as kept.

        Raises:
            EntityExistsError: its id is taken; nothing is changed.
        """
        ...

    async def update(self, entity: TEntity) -> TEntity:
        """
        Replace the entity that has the same id and return it as kept.

        Raises:
            EntityNotFoundError: no entity has its id; nothing is changed.
        """
        ...

    async def delete(self, id: TId) -> bool:
        """Remove the entity with this id; `True` to exactly one of any number of concurrent callers."""
        ...

    async def exists(self, id: TId) -> bool:
        """Say whether an entity has this id."""
        ...


@runtime_checkable
class Service[TInput, TOutput](Protocol):
    """
    Does one piece of business, and says in its result how it went.

    Type parameters:
        TInput: what it is asked.
        TOutput: what it answers when it succeeds.

    >>> from infra_result import Ok
    >>> class Double:
    ...     async def execute(self, input: int) -> Result[int, ServiceError]:
    ...         return Ok(2 * input)
    >>> isinstance(Double(), Service)
    True
    """

    async def execute(self, input: TInput) -> Result[TOutput, ServiceError]:
        """Return `Ok` with the answer, or `Err` with the refusal that a caller may branch on."""
        ...


@runtime_checkable
class Factory[TConfig, TInstance](Protocol):
    """
    Makes instances from configurations.

    Type parameters:
        TConfig: what tells one instance from another.
        TInstance: what is made.

    >>> class Buffers:
    ...     def create(self, config: int) -> bytearray: return bytearray(config)
    ...     def create_default(self) -> bytearray: return bytearray(1024)
    >>> isinstance(Buffers(), Factory)
    True
    """

    def create(self, config: TConfig) -> TInstance:
        """Return a new instance made to `config`."""
        ...

    def create_default(self) -> TInstance:
        """Return a new instance made to the factory's own configuration."""
        ...


@runtime_checkable
class Store[TKey, TValue](Protocol):
    """
    Holds values under keys, for as long as they are asked to be held.

    Each operation takes effect at one moment between its call and its return, also under concurrency; one that is
    cancelled took effect or did not, nothing in between.

    Type parameters:
        TKey: what a value is kept under.
        TValue: what is kept; `None` is a value that `get` cannot tell from absence.

    >>> class Memory:
    ...     def __init__(self) -> None:
    ...         self._data: dict[str, int] = {}
    ...     async def get(self, key: str) -> int | None: return self._data.get(key)
    ...     async def set(self, key: str, value: int, ttl: float | None = None) -> None: self._data[key] = value
    ...     async def delete(self, key: str) -> bool: return self._data.pop(key, None) is not None
    ...     async def exists(self, key: str) -> bool: return key in self._data
    >>> isinstance(Memory(), Store)
    True
    """

    async def get(self, key: TKey) -> TValue | None:
        """Return the value under `key`, or `None` when there is none or its time is over."""
        ...

    async def set(self, key: TKey, value: TValue, ttl: float | None = None) -> None:
        """
        Keep `value` under `key` for `ttl` seconds, replacing what was there and how long it had.

        `None` is the store's own default, which is for ever where it says nothing else; `math.inf` is for ever.

        Raises:
            ValidationError: `ttl` is not above zero, or not a number; nothing is changed.
        """
        ...

    async def delete(self, key: TKey) -> bool:
        """Remove `key`; `True` to exactly one of any number of concurrent callers, and only if it was visible."""
        ...

    async def exists(self, key: TKey) -> bool:
        """Say whether `get` would find a value, `None` included."""
        ...
