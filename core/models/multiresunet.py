"""MultiResUNet: Ibtehaz and Rahman 2020."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.cards import NetworkCard

if TYPE_CHECKING:
    import keras

CARD = NetworkCard(
    title="MultiResUNet",
    paper="Ibtehaz, Rahman: MultiResUNet. Neural Networks 121 (2020), doi 10.1016/j.neunet.2019.08.025",
    layers=("bottleneck", "decoder_4", "decoder_3", "decoder_2", "decoder_1"),
    differs="As in its paper: the output layer is not batch-normalised (the authors' code normalises it; "
    "head='repository' reproduces that).",
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
    """A MultiResUNet from ``image`` (size, size, channels_in) in 0..1 to ``probability`` (size, size, classes).

    ``width`` is the unit U of level 1, doubled at each level (32 as published); a block of unit U puts out
    int(.167 w) + int(.333 w) + int(.5 w) channels with w = 1.67 U.
    """
    from keras import layers

    from core.models import _blocks

    def block(x, unit, name, settings):  # type: ignore[no-untyped-def]
        channels = sum(_blocks.multires_widths(unit))
        short = _blocks.conv_bn(x, channels, 1, settings, f"{name}_short", relu=False)
        x = layers.Add(name=f"{name}_add")([short, _blocks.chain(x, unit, f"{name}_chain", settings)])
        return _blocks.norm(layers.ReLU(name=f"{name}_relu")(x), settings, name)

    settings = _blocks.Settings(bn_momentum, initializer)
    return _blocks.u_shape(
        "multiresunet", block, _blocks.res_path, settings,
        width=width, channels_in=channels_in, classes=classes, size=size, head=head,
    )  # fmt: skip
