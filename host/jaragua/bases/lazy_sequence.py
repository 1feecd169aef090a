"""Sequences whose items are made when they are asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

Item = TypeVar("Item")


class LazySequence(Sequence[Item]):
    """Slices, negative places and the ends of a sequence, for a class that makes one item after the other."""

    @abstractmethod
    def item(self, place: int) -> Item:
        """The item at a place from 0 to below the length."""

    @overload
    def __getitem__(self, place: int) -> Item: ...

    @overload
    def __getitem__(self, place: slice) -> list[Item]: ...

    def __getitem__(self, place: int | slice) -> Item | list[Item]:
        places = range(len(self))[place]
        return [self.item(one) for one in places] if isinstance(places, range) else self.item(places)
