"""Networks at work: predictions, and the evidence behind a heatmap. The only TensorFlow file.

One forward pass and, per class asked, one backward pass through the tail of the network (from the logits
back to the bottleneck, never into the encoder) give the evidence of all layers and all gradient methods.
"""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from core import weights
from core.errors import CoreError, JobBusy
from core.explain import targets
from core.records import SCORE_KINDS, THRESHOLD, Evidence, Run

BATCH = 8  # predictions: on a CPU a larger batch costs as much per image and more memory
EVIDENCE_BATCH = 4  # activations and gradients of five layers are 8 MB per image and class
KEPT = 6  # opened networks: three of each of two datasets
WAITING = 3  # one at work and two in the queue; memory multiplies with every further one

_LOCK = threading.Lock()
_TURNS = threading.BoundedSemaphore(WAITING)
_OPENED: OrderedDict[tuple[str, str], EvidencePass] = OrderedDict()


class EvidencePass:
    """A network ready to predict and to be explained; built once per loaded run.

    ``layers`` are named deepest first; what is explained is each one's last ReLU. Every distinct number of
    classes asked at once costs one tracing, in the first call; nothing else does.
    """

    def __init__(self, network: keras.Model, layers: Sequence[str]):
        require_tensorflow()
        self.layers = tuple(layers)
        taps = [last_relu(network.get_layer(name)) for name in layers]
        # `input`, not `inputs`: the latter makes Keras warn at every call with a plain array
        self.view = keras.Model(network.input, [network.get_layer("logits").output, network.output, *taps])
        self.images = tf.TensorSpec((None, *network.input.shape[1:]), tf.float32)
        self.forward = tf.function(
            lambda images: network(images, training=False), input_signature=[self.images]
        )
        self.passes: dict[int, tf.types.experimental.PolymorphicFunction] = {}

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Images (N, S, S, channels) float32 in 0..1 -> probabilities (N, S, S, K) float32."""
        parts = [self.forward(images[i : i + BATCH]).numpy() for i in range(0, len(images), BATCH)]
        return np.concatenate(parts)

    def evidence(
        self, images: np.ndarray, regions: np.ndarray | None, labels: Sequence[int], kind: str
    ) -> Iterator[list[dict[str, Evidence]]]:
        """The evidence of each image: one dictionary per label asked, by layer name.

        ``images`` (N, S, S, channels) float32; ``regions`` (N, S, S, number of labels) booleans, or None for
        the region where each label is predicted; ``kind`` is one of log_odds, logit, probability. An empty
        region gives gradients of exactly 0 and a score of NaN.
        """
        shape = (*images.shape[:3], len(labels))
        asked = np.full(shape, -1, np.float32) if regions is None else regions.astype(np.float32)
        if asked.shape != shape:
            raise ValueError(f"regions: expected shape {shape}, got {asked.shape}")
        gather = self._pass_for(len(labels))
        constants = tf.constant(labels, tf.int32), tf.constant(SCORE_KINDS.index(kind), tf.int32)
        for start in range(0, len(images), EVIDENCE_BATCH):
            part = slice(start, start + EVIDENCE_BATCH)
            found = gather(tf.constant(images[part], tf.float32), tf.constant(asked[part]), *constants)
            logits, inside, activations, gradients = tf.nest.map_structure(
                lambda tensor: tensor.numpy(), found
            )
            for row in range(len(logits)):
                yield [
                    {
                        layer: Evidence(
                            activations[depth][row],
                            gradients[slot][depth][row],
                            targets.mean_over(
                                targets.score_map(logits[row], label, kind), inside[row, ..., slot] > 0
                            ),
                        )
                        for depth, layer in enumerate(self.layers)
                    }
                    for slot, label in enumerate(labels)
                ]

    def warm(self) -> None:
        """Trace what nearly every reader asks first: a prediction, and one class explained."""
        blank = np.zeros((1, *self.images.shape[1:]), np.float32)
        self.predict(blank)
        next(self.evidence(blank, None, [1], "log_odds"))

    def _pass_for(self, labels: int) -> tf.types.experimental.PolymorphicFunction:
        """The traced pass for so many labels at once; kept, as every new one would leak 175 kB."""
        if labels not in self.passes:
            regions = tf.TensorSpec((None, *self.images.shape[1:3], labels), tf.float32)
            numbers = tf.TensorSpec((labels,), tf.int32), tf.TensorSpec((), tf.int32)
            self.passes[labels] = tf.function(
                self._gather, input_signature=[self.images, regions, *numbers]
            )  # no jit_compile: on a CPU slower, after 10 s of compiling
        return self.passes[labels]

    def _gather(self, images, regions, labels, kind):
        # the weights stay unwatched, so frozen layers do not matter
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(images)
            logits, probability, *activations = self.view(images, training=False)
        gradients, inside = [], []
        for slot in range(labels.shape[0]):
            region = regions[..., slot]
            region = tf.where(region < 0, predicted_region(probability, labels[slot]), region)
            start = seed(logits, probability, region, labels[slot], kind)
            gradients.append(tape.gradient(logits, activations, output_gradients=start))
            inside.append(region)
        return logits, tf.stack(inside, axis=-1), activations, gradients


def seed(logits, probability, region, label, kind):
    """d(score)/d(logits), (N, H, W, C): the slope of the score at each pixel, times region / its size.

    All three slopes are a few operations on one image, so choosing among them inside the graph saves a trace
    per kind. The softmax over the other classes is taken by masking: dividing p_j by their sum underflows
    where the network is sure.
    """
    channels = logits.shape[-1]
    if channels == 1:
        sign = tf.cast(2 * label - 1, tf.float32)  # the background of a binary network is the negative
        flat = sign * tf.ones_like(logits)
        slopes = [flat, flat, sign * probability * (1 - probability)]
    else:
        own = tf.one_hot(label, channels) + tf.zeros_like(logits)
        others = tf.nn.softmax(tf.where(own > 0, -1e9, logits))
        p_own = tf.reduce_sum(own * probability, axis=-1, keepdims=True)
        slopes = [own - others, own, p_own * (own - probability)]
    size = tf.reduce_sum(region, axis=(1, 2), keepdims=True)
    share = region / tf.maximum(size, 1.0)  # an empty region stays exactly 0
    return tf.stack(slopes)[kind] * share[..., None]


def predicted_region(probability, label):
    """(N, H, W, K) -> (N, H, W) float32 0 or 1, by the rule of ``targets.predicted_region``."""
    if probability.shape[-1] == 1:
        labels = tf.cast(probability[..., 0] > THRESHOLD, tf.int32)
    else:
        labels = tf.argmax(probability, axis=-1, output_type=tf.int32)
    return tf.cast(labels == label, tf.float32)


def last_relu(layer: keras.Layer) -> keras.KerasTensor:
    """What a heatmap of this stage looks at: the layer's output, or its input if it is a normalisation.

    After the normalisation Grad-CAM would be shifted by a constant that has nothing to do with the image, up
    to several times the map's own maximum, and zero would no longer mean "feature absent".
    """
    return layer.input if isinstance(layer, keras.layers.BatchNormalization) else layer.output


def require_tensorflow() -> None:
    """CoreError under another Keras backend: the gradients are TensorFlow's, as in the paper."""
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise CoreError(
            f"Predictions and heatmaps are computed with TensorFlow, but Keras runs on {backend}. "
            "Weights trained on any backend will do. Run: export KERAS_BACKEND=tensorflow"
        )


def predict(run: Run, layers: Sequence[str], images: np.ndarray) -> np.ndarray:
    """Probabilities (N, S, S, K) float32 of images (N, S, S, channels), one caller at a time."""
    with _turn():
        return open_network(run, layers).predict(images)


def evidence(
    run: Run,
    layers: Sequence[str],
    images: np.ndarray,
    regions: np.ndarray | None,
    labels: Sequence[int],
    kind: str,
) -> list[list[dict[str, Evidence]]]:
    """Evidence of a few images (see ``EvidencePass.evidence``), one caller at a time."""
    with _turn():
        return list(open_network(run, layers).evidence(images, regions, labels, kind))


def open_network(run: Run, layers: Sequence[str]) -> EvidencePass:
    """The run's network, loaded and verified at the first call; RunRefused when its files do not match.

    Not safe by itself: callers hold the lock, as ``predict`` and ``evidence`` do.
    """
    require_tensorflow()
    key = (run.name, run.weights_sha256)
    if key not in _OPENED:
        opened = EvidencePass(weights.load(run), layers)
        opened.warm()
        _OPENED[key] = opened
        if len(_OPENED) > KEPT:
            _OPENED.popitem(last=False)
        # Streamlit collects garbage after every rerun: 446 ms with TensorFlow loaded, 17 ms once it is frozen
        gc.collect()
        gc.freeze()
    _OPENED.move_to_end(key)
    return _OPENED[key]


@contextmanager
def _turn() -> Iterator[None]:
    if not _TURNS.acquire(blocking=False):
        raise JobBusy(
            "The networks are busy: two other requests are already waiting. Try again in a moment, "
            "or compute everything beforehand with: python -m core evaluate DATASET"
        )
    try:
        with _LOCK:
            yield
    finally:
        _TURNS.release()
