"""Values told apart by nothing but `==`, hashable or not."""


class ByEquality:
    """
    Stands for a value where only what is hashable may stand, as in a set.

    >>> len({ByEquality([1]), ByEquality([1]), ByEquality([2])})
    2
    """

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value: object = value

    def __hash__(self) -> int:
        """Return the hash of the value, or one for all that have none."""
        try:
            return hash(self.value)
        except TypeError:
            return 0

    def __eq__(self, other: object) -> bool:
        """Say whether both stand for equal values."""
        return isinstance(other, ByEquality) and self.value == other.value
