"""What a user should know of own data before training: sentences. Pure."""

from collections.abc import Mapping, Sequence

from jaragua_models.own_data.samples import Table, counted

MOST_NAMED = 4


def classes_too_rare(counts: Mapping[str, Mapping[str, int]], needed: int, side: str) -> list[str]:
    """A sentence for each class of which devices have too few samples. counts: by device, by class.

    side: "held-out" or "training".
    """
    lacking: dict[str, list[str]] = {}
    for device, of_classes in counts.items():
        for name, count in of_classes.items():
            if count < needed:
                lacking.setdefault(name, []).append(f"{device!r} has {count}")
    return [
        f"class {name!r}: {_some(devices)} of the {counted(needed, 'sample', 'samples')} that a task takes; "
        f"tasks of {'this' if len(devices) == 1 else 'these'} {side} device{'s' * (len(devices) > 1)} leave it out"
        for name, devices in sorted(lacking.items())
    ]


def rare_images(counts: Mapping[str, int], needed: int) -> list[str]:
    """A sentence for each class of which there are too few images."""
    return [
        f"class {name!r} has {counted(count, 'image', 'images')}, and a task takes {needed}: it is never asked"
        for name, count in sorted(counts.items())
        if count < needed
    ]


def neighbours(table: Table) -> list[str]:
    """A warning, for rows that may have an order which nobody told."""
    if table.spans is not None or not table.is_ordered:
        return []
    return [
        f"{table.origin.name} has no time (key `time`): neighbouring rows may stand on both sides, in support and "
        "query set, and flatter the figures; time = [] says that rows have no order"
    ]


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - MOST_NAMED
    return ", ".join(texts[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
