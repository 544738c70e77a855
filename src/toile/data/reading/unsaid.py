"""What folders say of the parts, and nothing was made of: it is told, because pictures kept for a test may be trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from toile.data.reading.layout import part_called, part_of
from toile.pictures.files import folders, pictures
from toile.text import counted_images, cut


def unsaid_parts(names: Iterable[tuple[str, Sequence[str]]], path: Path, way: str) -> tuple[str, ...]:
    """A sentence, where pictures that are trained on lie in folders of the training part and also in those of another one.

    Args:
        names: of pictures of the training part, with the folders that count.
        path: of their list or folder.
        way: what to do if these are the parts.
    """
    lie: dict[str, list[str]] = {}
    for name, above in names:
        if part := next((part for folder in reversed(above) if (part := part_called(folder)) is not None), None):
            lie.setdefault(part, []).append(name)
    others = [(part, of) for part, of in lie.items() if part != "train"]
    if "train" not in lie or not others:
        return ()
    said = " and ".join(f"{counted_images(len(of))} in folders of the {part} part ({cut(of[0], 60)})" for part, of in others)
    return (f"{path.name}: {said} are trained on as those of the training part are; if these folders are the parts, {way}",)


def without_list(folder: Path, tables: Sequence[Path]) -> tuple[str, ...]:
    """Sentences about folders of parts that hold pictures and no list, beside others that hold one."""
    apart = [one for one in folders(folder) if part_of(one.name) is not None]
    if not any(one in apart for table in tables for one in table.parents):
        return ()
    alone = [(one, len(pictures(one))) for one in apart if not any(one in table.parents for table in tables)]
    return tuple(
        f"{one.name}/ is not read, as no list says what its {counted_images(count)} are; expected {tables[0].name} there too"
        for one, count in alone
        if count
    )
