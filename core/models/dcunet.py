"""DC-UNet: Lou, Guan and Loew 2021, the network we take the paper's "DCUNet" to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.cards import NetworkCard

if TYPE_CHECKING:
    import keras

CARD = NetworkCard(
    title="DC-UNet",
    paper="Lou, Guan, Loew: DC-UNet. SPIE Medical Imaging 2021, doi 10.1117/12.2582338",
    layers=("bottleneck", "decoder_4", "decoder_3", "decoder_2", "decoder_1"),
    differs='Stands for the study\'s "DCU-Net (Dual Channel U-Net)", whose citations name other networks: '
    "this identification is ours. No residual shortcut in the block, as in the authors' Keras file.",
)


def build(
    width: int = 16,
    channels_in: int = 1,
    classes: int = 1,
    *,
    size: int = 128,
    head: str = "plain",
    bn_momentum: float = 0.9,
    initializer: str = "he_normal",
) -> keras.Model:
    """A DC-UNet from ``image`` (size, size, channels_in) in 0..1 to ``probability`` (size, size, classes).

    MultiResUNet's skeleton and widths; a block adds two channels of three 3x3 convolutions, each with its
    own weights.
    """
    from keras import layers

    from core.models import _blocks

    def block(x, unit, name, settings):  # type: ignore[no-untyped-def]
        channels = [_blocks.chain(x, unit, f"{name}_channel{c}", settings) for c in (1, 2)]
        x = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")(channels))
        return _blocks.norm(x, settings, name)

    settings = _blocks.Settings(bn_momentum, initializer)
    return _blocks.u_shape(
        "dcunet", block, _blocks.res_path, settings,
        width=width, channels_in=channels_in, classes=classes, size=size, head=head,
    )  # fmt: skip
