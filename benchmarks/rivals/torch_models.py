"""The reference models in PyTorch, and a training loop by its performance tuning guide.

https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html: images in `channels_last`, one fused kernel for Adam, and
where asked for `autocast` to bfloat16 and `torch.compile`. The images are in memory and batches are cut by index, which is
faster than a DataLoader. The loop reads no loss and no accuracy, which would cost it more.
"""

from __future__ import annotations

import contextlib
import time

import torch
from torch import nn
from torch.nn import functional


def _convolution(channels: int, filters: int, **options: int | str) -> list[nn.Module]:
    return [nn.Conv2d(channels, filters, 3, **options), nn.ReLU()]


def _normalised(channels: int, filters: int) -> list[nn.Module]:
    return [*_convolution(channels, filters, padding="same"), nn.BatchNorm2d(filters)]


def _hidden(inputs: int, units: int) -> list[nn.Module]:
    return [nn.Linear(inputs, units), nn.ReLU(), nn.BatchNorm1d(units), nn.Dropout(0.5)]


MODELS = {
    "ANN": lambda: [nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10)],
    "strided CNN": lambda: [
        *_convolution(1, 32, stride=2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1152, 256), nn.ReLU(), nn.Linear(256, 10),
    ],
    "1 convolution": lambda: [
        *_convolution(1, 32), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(5408, 256), nn.ReLU(), nn.Linear(256, 10),
    ],
    "deeper": lambda: [
        *_convolution(1, 32, padding="same"), nn.MaxPool2d(2), nn.BatchNorm2d(32),
        *_convolution(32, 64, padding="same"), nn.Dropout(0.25), nn.MaxPool2d(2),
        *_normalised(64, 64), nn.Dropout(0.25), nn.Flatten(), nn.Linear(3136, 64), nn.ReLU(), nn.Linear(64, 5),
    ],
    "model-4": lambda: [
        *_normalised(1, 32), *_normalised(32, 32), nn.MaxPool2d(2), nn.Dropout(0.25),
        *_normalised(32, 64), nn.Dropout(0.25), *_normalised(64, 128), nn.MaxPool2d(2), nn.Dropout(0.4),
        nn.Flatten(), *_hidden(6272, 512), *_hidden(512, 128), nn.Linear(128, 5),
    ],
}  # fmt: skip
PENALTY = {"model-4": 0.001}  # L2, on the kernels of convolutions


def train(
    name: str, images: torch.Tensor, labels: torch.Tensor, batch_size: int, epochs: int, *, bfloat16: bool, compiled: bool
) -> tuple[nn.Module, list[float]]:
    """Train a reference model, on a GPU where PyTorch sees one.

    Args:
        images: float32 `(n, 1, height, width)`, 0..1.
        labels: int64 `(n,)`.

    Returns:
        The model, and the seconds that each epoch took.
    """
    on = "cuda" if torch.cuda.is_available() else "cpu"
    model = nn.Sequential(*MODELS[name]()).to(on, memory_format=torch.channels_last)
    images, labels = images.to(on, memory_format=torch.channels_last), labels.to(on)
    kernels = [layer.weight for layer in model if isinstance(layer, nn.Conv2d)]
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    forward, seconds = torch.compile(model) if compiled else model, []
    for _ in range(epochs):
        begun = time.perf_counter()
        for index in torch.randperm(len(images), device=on).split(batch_size):
            with torch.autocast(on, torch.bfloat16) if bfloat16 else contextlib.nullcontext():
                loss = functional.cross_entropy(forward(images[index]), labels[index])
            if name in PENALTY:
                loss = loss + PENALTY[name] * sum(kernel.square().sum() for kernel in kernels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if on == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begun)
    return model, seconds
