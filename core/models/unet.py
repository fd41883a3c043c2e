"""U-Net: Ronneberger, Fischer and Brox 2015, in the usual same-padded form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.cards import NetworkCard

if TYPE_CHECKING:
    import keras

CARD = NetworkCard(
    title="U-Net",
    paper="Ronneberger, Fischer, Brox: U-Net. MICCAI 2015, doi 10.1007/978-3-319-24574-4_28",
    layers=("bottleneck", "decoder_4", "decoder_3", "decoder_2", "decoder_1"),
    differs="Same padding and batch normalisation; the 2015 network has valid padding with cropped skips, "
    "dropout, no normalisation, border-weighted cross-entropy and a two-channel softmax.",
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
    batch_norm: bool = True,
) -> keras.Model:
    """A U-Net from ``image`` (size, size, channels_in) in 0..1 to ``probability`` (size, size, classes).

    ``width`` is the number of filters of level 1, doubled at each level. ``classes=1`` ends in a sigmoid,
    more in a softmax. Without ``batch_norm`` the convolutions have a bias.
    """
    from keras import layers

    from core.models import _blocks

    def block(x, filters, name, settings):  # type: ignore[no-untyped-def]
        for step, relu in ((1, f"{name}_1_relu"), (2, name)):
            bias = not settings.batch_norm
            x = _blocks.conv(x, filters, 3, settings, f"{name}_{step}_conv", bias=bias)
            if settings.batch_norm:
                x = _blocks.norm(x, settings, f"{name}_{step}_bn")
            x = layers.ReLU(name=relu)(x)
        return x

    settings = _blocks.Settings(bn_momentum, initializer, batch_norm)
    return _blocks.u_shape(
        "unet", block, _blocks.plain_skip, settings,
        width=width, channels_in=channels_in, classes=classes, size=size, head=head,
    )  # fmt: skip
