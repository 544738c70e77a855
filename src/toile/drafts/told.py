"""What was seen of somebody's pictures, in words."""

from __future__ import annotations

from toile.drafts.seen import Seen
from toile.text import cut, listed

_NAMED = 5  # sizes, files or pairs that are named
_CLASSES = 12


def told(seen: Seen) -> dict[str, str]:
    """Topic -> what was seen, in one line."""
    dataset = seen.dataset
    found = {
        "pictures": f"{seen.images:,}{_parts(seen)}",
        "classes": f"{dataset.classes}: {_counts(seen)}",
        "sizes": sizes(seen),
        "colour": "grey" if dataset.image_shape[2] == 1 else "in colour",
        "duplicates": _repeats(seen, "duplicates"),
        "look-alikes": _repeats(seen, "near_duplicates"),
    }
    if dataset.left_out:
        few = listed((f"{one.name} ({one.why})" for one in dataset.left_out), _NAMED)
        found["broken"] = f"{len(dataset.left_out):,}, left out: {few}"
    return found


def sizes(seen: Seen) -> str:
    """How many pictures have which size, and to which they are brought; width x height, as people say it."""
    height, width, _ = seen.dataset.image_shape
    if not seen.sizes:
        return f"{width} x {height}"
    found = listed((f"{times:,} of {wide} x {high}" for (high, wide), times in seen.sizes.most_common()), _NAMED)
    return found + (f"; brought to {width} x {height}" if set(seen.sizes) != {(height, width)} else "")


def _parts(seen: Seen) -> str:
    parts = seen.dataset.parts
    return f" ({', '.join(f'{len(part):,} {name}' for name, part in parts.items())})" if len(parts) > 1 else ""


def _counts(seen: Seen) -> str:
    counts = seen.counts
    if len(counts) <= _CLASSES:
        return ", ".join(f"{cut(name, 40)} ({count:,})" for name, count in counts.items())
    fewest, most = (choose(counts, key=counts.__getitem__) for choose in (min, max))
    return f"{cut(fewest, 40)} has fewest ({counts[fewest]:,}), {cut(most, 40)} most ({counts[most]:,})"


def _repeats(seen: Seen, kind: str) -> str:
    """Pictures that are the same as another of their part, or that look like it."""
    said = []
    for name in seen.dataset.parts:
        found = seen.audit[name][kind]
        if found is None:
            return "not looked for among so many"
        if found["images"]:
            pairs = listed((" = ".join(pair) for pair in found.get("names", ())), _NAMED)
            said.append(f"{found['images']:,} of {name}" + (f" ({pairs})" if pairs else ""))
    return ", ".join(said) or "none"
