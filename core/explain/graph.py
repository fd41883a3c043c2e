"""What a heatmap looks at inside a network: the last ReLU of a stage, and what joins on the way from there.

Keras is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.errors import CoreError

if TYPE_CHECKING:
    import keras


def require_tensorflow() -> None:
    """CoreError under another Keras backend: the gradients are TensorFlow's, as in the paper."""
    import keras

    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise CoreError(
            f"Predictions and heatmaps are computed with TensorFlow, but Keras runs on {backend}. "
            "Weights trained on any backend will do. Run: export KERAS_BACKEND=tensorflow"
        )


def last_relu(layer: keras.Layer) -> keras.KerasTensor:
    """What a heatmap of this stage looks at: the layer's output, or its input if it is a normalisation.

    After the normalisation Grad-CAM would be shifted by a constant that has nothing to do with the image, up
    to several times the map's own maximum, and zero would no longer mean "feature absent".
    """
    from keras.layers import BatchNormalization

    return layer.input if isinstance(layer, BatchNormalization) else layer.output


def joining(network: keras.Model, tensor: keras.KerasTensor) -> list[keras.KerasTensor]:
    """The tensors that meet what follows from ``tensor`` on the way to the output: the skips that join later."""
    following, found = {id(tensor)}, []
    for layer in network.layers[1:]:  # in the order they are computed, the input left out
        given: list[Any] = layer.input if isinstance(layer.input, list) else [layer.input]
        if any(id(one) in following for one in given):
            following.add(id(layer.output))
            found += [one for one in given if id(one) not in following]
    return found
