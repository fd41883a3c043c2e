"""Networks at work: predictions, and the evidence behind a heatmap. The only TensorFlow file.

One forward pass and, per class asked, one backward pass through the tail of the network (from the logits
back to the bottleneck, never into the encoder) give the evidence of all layers and all gradient methods.
"""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from core import weights
from core.errors import JobBusy
from core.explain import targets
from core.explain.graph import joining, last_relu, require_tensorflow
from core.records import SCORE_KINDS, THRESHOLD, Evidence, Run

BATCH = 8  # predictions: on a CPU a larger batch costs as much per image and more memory
EVIDENCE_BATCH = 4  # activations and gradients of five layers are 8 MB per image and class
KEPT = 6  # opened networks: three of each of two datasets
WAITING = 3  # one at work and two in the queue; memory multiplies with every further one

Traced = Callable[..., Any]

_LOCK = threading.Lock()
_TURNS = threading.BoundedSemaphore(WAITING)
_OPENED: OrderedDict[tuple[str, str], EvidencePass] = OrderedDict()


class EvidencePass:
    """A network ready to predict and to be explained; built once per loaded run.

    ``layers`` are named deepest first; what is explained is each one's last ReLU. Every distinct number of
    classes asked at once costs one tracing, in the first call, and so does each kind of further pass.
    """

    def __init__(self, network: keras.Model, layers: Sequence[str]):
        require_tensorflow()
        self.layers = tuple(layers)
        self.network = network
        self.taps = dict(zip(layers, (last_relu(network.get_layer(name)) for name in layers), strict=True))
        self.logits = network.get_layer("logits").output
        # `input`, not `inputs`: the latter makes Keras warn at every call with a plain array
        self.view = keras.Model(network.input, [self.logits, network.output, *self.taps.values()])
        ends = keras.Model(network.input, [self.logits, network.output])
        self.images = tf.TensorSpec((None, *network.input.shape[1:]), tf.float32)
        self.forward = tf.function(lambda images: ends(images, training=False), input_signature=[self.images])
        self.traced: dict[Hashable, Traced] = {}

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Images (N, S, S, channels) float32 in 0..1 -> probabilities (N, S, S, K) float32."""
        return _in_batches(lambda part: self.forward(part)[1].numpy(), images)

    def rescore(
        self, images: np.ndarray, region: np.ndarray, label: int, kind: str, rival: int | None = None
    ) -> np.ndarray:
        """Scores (N,) float64 of images (N, S, S, channels) over one fixed region (S, S); NaN when it is empty."""

        def score(part: np.ndarray) -> np.ndarray:
            inside = self.forward(part)[0].numpy()[:, region]
            return targets.score_map(inside, label, kind, rival).mean(axis=1, dtype=np.float64)

        return _in_batches(score, images) if region.any() else np.full(len(images), np.nan)

    def slopes(
        self, images: np.ndarray, region: np.ndarray, label: int, kind: str, rival: int | None = None
    ) -> np.ndarray:
        """d(score)/d(images), of their shape, over one fixed region (S, S): a backward pass to the input."""
        slope = self._traced("slopes", self._slopes, self.images, *self._asked(1))
        asked, question = region[None, ..., None].astype(np.float32), _questions([label], [kind], [rival])
        return _in_batches(lambda part: slope(part, np.repeat(asked, len(part), 0), question).numpy(), images)

    def without(
        self, layer: str, image: np.ndarray, channels: np.ndarray,
        region: np.ndarray, label: int, kind: str, rival: int | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Scores (N,) of one image (S, S, channels), each with one of the layer's channels (N,) set to 0.

        Only the tail is computed anew: from the layer, and from the skips that join it later, to the logits.
        """
        tail = self.traced.get(("tail", layer)) or self._traced(
            ("tail", layer), self._tail(layer), self.images, tf.TensorSpec((None,), tf.int32)
        )

        def score(part: np.ndarray) -> np.ndarray:
            inside = tail(image[None], part.astype(np.int32)).numpy()[:, region]
            return targets.score_map(inside, label, kind, rival).mean(axis=1, dtype=np.float64)

        return _in_batches(score, channels) if region.any() else np.full(len(channels), np.nan)

    def evidence(
        self, images: np.ndarray, regions: np.ndarray | None, labels: Sequence[int],
        kind: str | Sequence[str], rivals: Sequence[int | None] | None = None,
    ) -> Iterator[list[dict[str, Evidence]]]:  # fmt: skip
        """The evidence of each image: one dictionary per label asked, by layer name.

        ``images`` (N, S, S, channels) float32; ``regions`` (N, S, S, number of labels) booleans, or None for
        the region where each label is predicted; ``kind`` is one of SCORE_KINDS, or one per label; ``rivals``
        one label or None per label, for contrasts. An empty region gives gradients of exactly 0 and a score
        of NaN.
        """
        kinds = [kind] * len(labels) if isinstance(kind, str) else list(kind)
        against = rivals or [None] * len(labels)
        shape = (*images.shape[:3], len(labels))
        asked = np.full(shape, -1, np.float32) if regions is None else regions.astype(np.float32)
        if asked.shape != shape:
            raise ValueError(f"regions: expected shape {shape}, got {asked.shape}")
        gather = self._traced(len(labels), self._gather, self.images, *self._asked(len(labels)))
        questions = _questions(labels, kinds, against)
        for start in range(0, len(images), EVIDENCE_BATCH):
            part = slice(start, start + EVIDENCE_BATCH)
            found = gather(tf.constant(images[part], tf.float32), tf.constant(asked[part]), questions)
            logits, inside, activations, gradients = tf.nest.map_structure(
                lambda tensor: tensor.numpy(), found
            )
            for row in range(len(logits)):
                yield [
                    self._of(row, slot, activations, gradients, targets.mean_over(
                        targets.score_map(logits[row], label, kinds[slot], against[slot]),
                        inside[row, ..., slot] > 0,
                    ))
                    for slot, label in enumerate(labels)
                ]  # fmt: skip

    def _of(self, row: int, slot: int, activations: Any, gradients: Any, score: float) -> dict[str, Evidence]:
        found = zip(self.layers, activations, gradients[slot], strict=True)
        return {layer: Evidence(acts[row], slopes[row], score) for layer, acts, slopes in found}

    def warm(self) -> None:
        """Trace what nearly every reader asks first: a prediction, and one class explained."""
        blank = np.zeros((1, *self.images.shape[1:]), np.float32)
        self.predict(blank)
        next(self.evidence(blank, None, [1], "log_odds"))

    def _traced(self, name: Hashable, work: Callable[..., Any], *signature: tf.TensorSpec) -> Traced:
        """``work`` compiled once and kept, as every new trace costs seconds and leaks 175 kB."""
        if name not in self.traced:
            # no jit_compile: on a CPU slower, after 10 s of compiling
            self.traced[name] = tf.function(work, input_signature=signature)
        return self.traced[name]

    def _asked(self, labels: int) -> tuple[tf.TensorSpec, tf.TensorSpec]:
        """Regions and questions (label, rival, kind) for so many labels at once."""
        regions = tf.TensorSpec((None, *self.images.shape[1:3], labels), tf.float32)
        return regions, tf.TensorSpec((labels, 3), tf.int32)

    def _gather(self, images, regions, questions):
        # the weights stay unwatched, so frozen layers do not matter
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(images)
            logits, probability, *activations = self.view(images, training=False)
        gradients, inside = [], []
        for slot in range(questions.shape[0]):
            region = regions[..., slot]
            region = tf.where(region < 0, predicted_region(probability, questions[slot, 0]), region)
            start = seed(logits, probability, region, questions[slot])
            gradients.append(tape.gradient(logits, activations, output_gradients=start))
            inside.append(region)
        return logits, tf.stack(inside, axis=-1), activations, gradients

    def _slopes(self, images, regions, questions):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            logits, probability, *_ = self.view(images, training=False)
        start = seed(logits, probability, regions[..., 0], questions[0])
        return tape.gradient(logits, images, output_gradients=start)

    def _tail(self, layer: str) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """The logits of one image with single channels of the layer at 0, as a function to be traced."""
        entries = [self.taps[layer], *joining(self.network, self.taps[layer])]
        before, after = keras.Model(self.network.input, entries), keras.Model(entries, self.logits)

        def tail(image, channels):
            own, *others = tf.nest.flatten(before(image, training=False))
            kept = 1 - tf.one_hot(channels, own.shape[-1])[:, None, None]
            return after(
                [own * kept, *(tf.repeat(other, tf.shape(channels)[0], axis=0) for other in others)],
                training=False,
            )

        return tail


def seed(logits, probability, region, question):
    """d(score)/d(logits), (N, H, W, C): the slope of the score at each pixel, times region / its size.

    ``question`` is (label, rival or -1, place of the kind in SCORE_KINDS). All slopes are a few operations on
    one image, so choosing among them inside the graph saves a trace per kind. The softmax over the other
    classes is taken by masking: dividing p_j by their sum underflows where the network is sure.
    """
    label, rival, kind = tf.unstack(question)
    channels = logits.shape[-1]
    if channels == 1:
        sign = tf.cast(2 * label - 1, tf.float32)  # the background of a binary network is the negative
        flat = sign * tf.ones_like(logits)
        slopes = [flat, flat, sign * probability * (1 - probability), flat]
    else:
        own = tf.one_hot(label, channels) + tf.zeros_like(logits)
        others = tf.nn.softmax(tf.where(own > 0, -1e9, logits))
        p_own = tf.reduce_sum(own * probability, axis=-1, keepdims=True)
        slopes = [own - others, own, p_own * (own - probability), own - tf.one_hot(rival, channels)]
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


def predict(run: Run, layers: Sequence[str], images: np.ndarray) -> np.ndarray:
    """Probabilities (N, S, S, K) float32 of images (N, S, S, channels), one caller at a time."""
    with _turn():
        return open_network(run, layers).predict(images)


def evidence(
    run: Run, layers: Sequence[str], images: np.ndarray, regions: np.ndarray | None, labels: Sequence[int],
    kind: str | Sequence[str], rivals: Sequence[int | None] | None = None,
) -> list[list[dict[str, Evidence]]]:  # fmt: skip
    """Evidence of a few images (see ``EvidencePass.evidence``), one caller at a time."""
    with _turn():
        return list(open_network(run, layers).evidence(images, regions, labels, kind, rivals))


def rescore(
    run: Run, layers: Sequence[str], images: np.ndarray,
    region: np.ndarray, label: int, kind: str, rival: int | None = None,
) -> np.ndarray:  # fmt: skip
    """Scores (N,) of images over one fixed region (see ``EvidencePass.rescore``), one caller at a time."""
    with _turn():
        return open_network(run, layers).rescore(images, region, label, kind, rival)


def patiently(run: Run, layers: Sequence[str], name: str, *given: Any) -> np.ndarray:
    """One batch of a long computation, the method ``name`` of ``EvidencePass``: it waits until its turn comes.

    Between two batches others get theirs.
    """
    with _LOCK:
        return getattr(open_network(run, layers), name)(*given)


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


def _in_batches(work: Callable[[np.ndarray], np.ndarray], items: np.ndarray) -> np.ndarray:
    return np.concatenate([work(items[i : i + BATCH]) for i in range(0, len(items), BATCH)])


def _questions(labels: Sequence[int], kinds: Sequence[str], rivals: Sequence[int | None]) -> tf.Tensor:
    asked = zip(labels, rivals, kinds, strict=True)
    return tf.constant([(o, -1 if r is None else r, SCORE_KINDS.index(k)) for o, r, k in asked], tf.int32)


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
