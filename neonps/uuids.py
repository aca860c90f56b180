"""Many UUID objects at once: most of what `UUID()` does is to look which arguments it has, and in which form."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import repeat
from types import MemberDescriptorType
from uuid import UUID, SafeUUID


def uuid_maker() -> Callable[[Sequence[int]], list[UUID]] | None:
    """What makes UUIDs of numbers of 128 bits; None if this Python keeps them otherwise than known here."""
    slots = UUID.__dict__.get("int"), UUID.__dict__.get("is_safe")
    if not all(isinstance(slot, MemberDescriptorType) for slot in slots):
        return None  # a later version of Python, or another one
    set_int, set_is_safe = [slot.__set__ for slot in slots]  # type: ignore[union-attr]

    def make(numbers: Sequence[int]) -> list[UUID]:
        made = list(map(object.__new__, repeat(UUID, len(numbers))))
        deque(map(set_int, made, numbers), maxlen=0)
        deque(map(set_is_safe, made, repeat(SafeUUID.unknown)), maxlen=0)
        return made

    return make
