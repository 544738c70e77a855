"""The layers of a stored model, read without Keras, are those that Keras says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from toile.errors import ToileError
from toile.models import architectures
from toile.models.outline import outline

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "cnn": ("cnn", {"filters": [4, 6], "order": "conv norm pool dropout", "dropout": 0.3, "dense": [8, 5], "l2": 0.01}),
    "mlp": ("mlp", {"hidden": [8], "dropout": 0.1}),
    "resnet": ("resnet", {"stem": 4, "widths": [4, 8], "blocks": 1}),
}


@pytest.mark.parametrize("name", MODELS)
def test_layers_shapes_and_parameters_are_those_of_keras(name: str, tmp_path: Path) -> None:
    architecture, options = MODELS[name]
    model = architectures.build(architecture, (28, 28, 1), 10, options)
    model.save(tmp_path / "model.keras")
    found = outline(tmp_path / "model.keras")
    assert [(one.name, one.kind) for one in found] == [(layer.name, type(layer).__name__) for layer in model.layers]
    for one, layer in zip(found, model.layers, strict=True):
        assert one.parameters == layer.count_params()
        assert one.shape == " x ".join(map(str, layer.output.shape[1:]))
    assert sum(one.parameters for one in found) == model.count_params()


def test_a_backbone_is_one_line_and_a_small_inner_model_is_opened(tmp_path: Path) -> None:
    from toile.training.learner import _flip_averaged

    options = {"backbone": "mobilenet", "alpha": 0.25, "weights": "none"}
    model = architectures.build("transfer", (28, 28, 1), 10, options)
    model.save(tmp_path / "model.keras")
    found = outline(tmp_path / "model.keras")
    assert sum(one.parameters for one in found) == model.count_params()
    (backbone,) = [one for one in found if one.name == "backbone"]
    assert backbone.says.endswith(" layers") and backbone.parameters > 200_000

    inner = architectures.build("cnn", (28, 28, 1), 10, {"filters": [4], "dense": [8]})
    _flip_averaged(inner).save(tmp_path / "both.keras")
    opened = outline(tmp_path / "both.keras")
    assert sum(one.parameters for one in opened) == inner.count_params()
    assert any(one.name == f"{inner.name}/logits" for one in opened)


def test_what_a_reader_wants_to_know_is_said(tmp_path: Path) -> None:
    architectures.build("cnn", (28, 28, 1), 10, MODELS["cnn"][1]).save(tmp_path / "model.keras")
    says = [one.says for one in outline(tmp_path / "model.keras")]
    assert "4 filters, 3 x 3, L2 0.01" in says and "rate 0.3" in says and "8 units" in says


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"no zip file")
    with pytest.raises(ToileError, match="cannot be read as a model"):
        outline(tmp_path / "model.keras")
    with pytest.raises(ToileError, match="has no layers"):
        outline(tmp_path / "model.skops")


def test_it_loads_no_keras() -> None:
    script = "import sys, toile.models.outline; assert not {'keras', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
