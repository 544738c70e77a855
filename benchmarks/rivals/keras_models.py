"""The reference models as the documents write them: `Sequential`, compiled, over images as floats from 0 to 1.

A name in `MODELS` is that of a case in `benchmarks.train`; the function returns a compiled model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SHAPE = (28, 28, 1)


def dense(*hidden: int, dropout: float = 0.0, optimizer: str = "adam") -> Any:
    """A dense network on ten classes."""
    from keras import layers

    body: list[Any] = [layers.Flatten()]
    for units in hidden:
        body.append(layers.Dense(units, activation="relu", kernel_initializer="random_uniform"))
        if dropout:
            body.append(layers.Dropout(dropout))
    return compiled(body, 10, optimizer)


def convolutions(count: int, strides: int = 1) -> Any:
    """So many convolutions of 32 filters, a pooling behind each, and one dense layer, on ten classes."""
    from keras import layers

    body: list[Any] = []
    for _ in range(count):
        body += [layers.Conv2D(32, 3, strides=strides, activation="relu"), layers.MaxPooling2D(2)]
    return compiled([*body, layers.Flatten(), layers.Dense(256, activation="relu")], 10)


def deeper() -> Any:
    """Three convolutions with batch normalisation and dropout, on five classes."""
    from keras import layers

    return compiled([
        layers.Conv2D(32, 3, padding="same", activation="relu"), layers.MaxPooling2D(2), layers.BatchNormalization(),
        layers.Conv2D(64, 3, padding="same", activation="relu"), layers.Dropout(0.25), layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, padding="same", activation="relu"), layers.BatchNormalization(), layers.Dropout(0.25),
        layers.Flatten(), layers.Dense(64, activation="relu"),
    ], 5)  # fmt: skip


def model_4() -> Any:
    """Four convolutions and two dense layers, all with batch normalisation, dropout and an L2 penalty, on five classes."""
    from keras import layers, regularizers

    def convolution(filters: int) -> list[Any]:
        penalty = regularizers.L2(0.001)
        return [
            layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_regularizer=penalty),
            layers.BatchNormalization(),
        ]  # fmt: skip

    def hidden(units: int) -> list[Any]:
        return [layers.Dense(units, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.5)]

    return compiled([
        *convolution(32), *convolution(32), layers.MaxPooling2D(2), layers.Dropout(0.25),
        *convolution(64), layers.Dropout(0.25), *convolution(128), layers.MaxPooling2D(2), layers.Dropout(0.4),
        layers.Flatten(), *hidden(512), *hidden(128),
    ], 5)  # fmt: skip


def compiled(body: Sequence[Any], classes: int, optimizer: str = "adam") -> Any:
    """The layers between an input and a softmax, compiled with Keras's defaults."""
    import keras
    from keras import layers

    model = keras.Sequential([layers.Input(SHAPE), *body, layers.Dense(classes, activation="softmax")])
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


MODELS = {
    "ANN": lambda: dense(256),
    "strided CNN": lambda: convolutions(1, strides=2),
    "1 convolution": lambda: convolutions(1),
    "deeper": deeper,
    "model-4": model_4,
}
