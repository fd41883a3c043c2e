"""What the three networks share: convolution pieces, the residual path, and the U shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import layers

from core.models._normalisation import BatchNormalization

LEVELS = 5  # four poolings; level 5 is the bottleneck
EPSILON = 1e-3  # of every batch normalisation


@dataclass(frozen=True)
class Settings:
    """How layers are made, the same for all three networks."""

    bn_momentum: float = 0.9  # Keras' 0.99 needs 229 steps to settle and ruins early stopping on small sets
    initializer: str = "he_normal"  # a string: one object would give equal layers equal numbers
    batch_norm: bool = True  # U-Net only


Block = Callable[[keras.KerasTensor, int, str, Settings], keras.KerasTensor]
Skip = Callable[[keras.KerasTensor, int, int, Settings], keras.KerasTensor]


def norm(x: keras.KerasTensor, settings: Settings, name: str, *, scale: bool = True) -> keras.KerasTensor:
    """Batch normalisation; ``scale=False`` leaves out gamma, as after the convolutions of MultiResUNet."""
    layer = BatchNormalization(momentum=settings.bn_momentum, epsilon=EPSILON, scale=scale, name=name)
    return layer(x)


def conv(
    x: keras.KerasTensor, filters: int, kernel: int, settings: Settings, name: str, *, bias: bool = False
) -> keras.KerasTensor:
    """A same-padded convolution; 1x1 kernels start Glorot uniform, larger ones as the settings say."""
    start = settings.initializer if kernel > 1 else "glorot_uniform"
    layer = layers.Conv2D(filters, kernel, padding="same", use_bias=bias, kernel_initializer=start, name=name)
    return layer(x)


def conv_bn(
    x: keras.KerasTensor, filters: int, kernel: int, settings: Settings, name: str, *, relu: bool = True
) -> keras.KerasTensor:
    """Convolution without bias, normalisation without gamma, and ReLU unless ``relu=False``."""
    x = conv(x, filters, kernel, settings, f"{name}_conv")
    x = norm(x, settings, f"{name}_bn", scale=False)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def multires_widths(unit: int) -> tuple[int, int, int]:
    """Filters of the three convolutions of a MultiRes block: truncated shares of 1.67 * ``unit``.

    Ibtehaz and Rahman 2020, in the decimals of their code (0.167, 0.333, 0.5), not sixths and thirds.
    """
    total = 1.67 * unit
    if 0.167 * total < 1:
        raise ValueError(f"width: expected at least 4, got {unit}: a MultiRes block would have no filters")
    return int(0.167 * total), int(0.333 * total), int(0.5 * total)


def chain(x: keras.KerasTensor, unit: int, name: str, settings: Settings) -> keras.KerasTensor:
    """Three 3x3 convolutions in a row, all three outputs concatenated and normalised."""
    steps = []
    for step, filters in enumerate(multires_widths(unit), start=1):
        x = conv_bn(x, filters, 3, settings, f"{name}_{step}")
        steps.append(x)
    return norm(layers.Concatenate(name=f"{name}_concat")(steps), settings, f"{name}_bn")


def plain_skip(x: keras.KerasTensor, filters: int, level: int, settings: Settings) -> keras.KerasTensor:
    """The skip of U-Net: nothing happens on the way."""
    return x


def res_path(x: keras.KerasTensor, filters: int, level: int, settings: Settings) -> keras.KerasTensor:
    """The skip of MultiResUNet and DC-UNet: 5 - level residual steps, each with its own weights."""
    for step in range(1, LEVELS - level + 1):
        name = f"respath_{level}_{step}"
        short = conv_bn(x, filters, 1, settings, f"{name}_short", relu=False)
        long = conv_bn(x, filters, 3, settings, f"{name}_long")
        x = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([short, long]))
        x = norm(x, settings, f"{name}_bn")
    return x


def u_shape(
    title: str,
    block: Block,
    skip: Skip,
    settings: Settings,
    *,
    width: int,
    channels_in: int,
    classes: int,
    size: int,
    head: str,
) -> keras.Model:
    """The skeleton of all three: four levels down, a bottleneck, four levels up, a head.

    ``block(x, filters, name, settings)`` names its last layer ``name``. Pooling takes the block's output,
    the skip is fed by it too. Concatenation order is [up-sampled, skip].
    """
    for name, value in {"width": width, "channels_in": channels_in, "classes": classes}.items():
        if value < 1:
            raise ValueError(f"{name}: expected at least 1, got {value}")
    if size < 16 or size % 16:
        raise ValueError(f"size: expected a multiple of 16 (four poolings), got {size}")
    if head not in ("plain", "repository"):
        raise ValueError(f"head: expected 'plain' or 'repository', got {head!r}")
    filters = {level: width * 2 ** (level - 1) for level in range(1, LEVELS + 1)}
    x = image = keras.Input((size, size, channels_in), name="image")
    skips = {}
    for level in range(1, LEVELS):
        x = block(x, filters[level], f"encoder_{level}", settings)
        skips[level] = skip(x, filters[level], level, settings)
        x = layers.MaxPooling2D(name=f"pool_{level}")(x)
    x = block(x, filters[LEVELS], "bottleneck", settings)
    for level in range(LEVELS - 1, 0, -1):
        x = layers.Conv2DTranspose(filters[level], 2, strides=2, padding="same", name=f"up_{level}")(x)
        x = layers.Concatenate(name=f"join_{level}")([x, skips[level]])
        x = block(x, filters[level], f"decoder_{level}", settings)
    return keras.Model(image, probability(x, classes, head, settings), name=title)


def probability(x: keras.KerasTensor, classes: int, head: str, settings: Settings) -> keras.KerasTensor:
    """The head: linear ``logits``, then ``probability``; both float32 so that mixed precision stays safe.

    "plain" is a 1x1 convolution with bias. "repository" reproduces the authors' Keras files (no bias, then
    normalisation): its logits have unit variance per batch, so its cross-entropy cannot be compared.
    """
    if head == "plain":
        x = layers.Conv2D(classes, 1, dtype="float32", name="logits")(x)
    else:
        x = layers.Conv2D(classes, 1, use_bias=False, name="logits_conv")(x)
        x = BatchNormalization(
            momentum=settings.bn_momentum, epsilon=EPSILON, scale=False, dtype="float32", name="logits"
        )(x)
    activation = "sigmoid" if classes == 1 else "softmax"
    return layers.Activation(activation, dtype="float32", name="probability")(x)
