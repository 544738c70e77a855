"""Grey values between pixels, for layers that move them."""

from __future__ import annotations

from typing import Any

from toile.training.operations import ops


def sampled(images: Any, rows: Any, columns: Any, *, mirrored: bool = False) -> Any:
    """The images' values at given places, interpolated linearly between the four pixels around each.

    Args:
        images: `(batch, height, width, channels)` float.
        rows, columns: `(batch, height, width)` float32: for each pixel of the result, the place that it comes from.
        mirrored: what is outside of an image mirrors it, the edge pixel twice (SciPy's mode "reflect"); else it repeats the
            edge ("nearest").

    Returns:
        `(batch, height, width, channels)` float.
    """
    size, (height, width) = ops.shape(images)[0], images.shape[1:3]
    if not mirrored:
        rows, columns = ops.clip(rows, 0, height - 1), ops.clip(columns, 0, width - 1)
    top, left = ops.floor(rows), ops.floor(columns)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    top, left = ops.cast(top, "int32"), ops.cast(left, "int32")
    flat = ops.reshape(images, (-1, images.shape[3]))
    start = ops.arange(size, dtype="int32")[:, None, None] * (height * width)

    def inside(index: Any, length: int) -> Any:
        if not mirrored:
            return ops.minimum(index, length - 1)
        index = ops.mod(index, 2 * length)
        return ops.minimum(index, 2 * length - 1 - index)

    def pixels(row: Any, column: Any) -> Any:
        return ops.take(flat, start + inside(row, height) * width + inside(column, width), axis=0)

    upper = pixels(top, left) * (1 - right) + pixels(top, left + 1) * right
    lower = pixels(top + 1, left) * (1 - right) + pixels(top + 1, left + 1) * right
    return upper * (1 - down) + lower * down
