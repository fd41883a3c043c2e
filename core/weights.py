"""Weights of a run: written once with everything that proves them, and checked before every use.

Code builds the network, the file only fills numbers, nothing in the file is trusted. A flipped bit, NaN or the
weights of another network all load without an error; hence the checks here. Keras is imported on first use.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core import atomic, catalogues, places
from core.errors import RunRefused
from core.records import SIZE, Run

if TYPE_CHECKING:
    import keras

LARGEST = 1e6  # no trained weight comes near; a flipped exponent bit does
SIGNIFICANT = 11  # bits of a published kernel, leading one included: those of half precision
COMPRESSED_FROM = 1024  # values; a smaller array takes more room compressed
GOLDEN_TOLERANCE = 1e-4  # between machines and backends, on CPU; measured 1e-6
# Settings of a layer that change its arithmetic; all else (initialisers, names of variables) is left out.
SETTINGS = (
    "batch_shape", "filters", "kernel_size", "strides", "padding", "dilation_rate", "groups", "output_padding",
    "use_bias", "activation", "axis", "epsilon", "center", "scale", "pool_size", "negative_slope", "max_value",
    "threshold", "rate", "interpolation",
)  # fmt: skip


def build(model: str, settings: dict[str, Any]) -> keras.Model:
    """The named network with its manifest's ``network`` settings, weights as initialised.

    RunRefused when there is no such network or it cannot be built so (a width below 4, say).
    """
    modules = catalogues.network_modules()
    if model not in modules:
        raise RunRefused(f"Network {model!r} is not one of {', '.join(modules)}. Update the program.")
    try:
        return modules[model].build(**settings)
    except (TypeError, ValueError) as error:
        raise RunRefused(f"{modules[model].CARD.title} cannot be built as asked. {error}.") from error


def fingerprint(network: keras.Model) -> str:
    """Checksum of the arithmetic of a network: layers in order, their settings, inputs and weight shapes.

    Equal for two builds of the same network; different for an added ReLU, another epsilon or swapped inputs of
    a concatenation, none of which the weights file would show.
    """
    rows = []
    for layer in network.layers:
        config = layer.get_config()
        rows.append(
            {
                "name": layer.name,
                "class": type(layer).__name__,
                "settings": {key: config[key] for key in SETTINGS if key in config},
                "inputs": _inputs(layer),
                "weights": [[list(w.shape), str(w.dtype)] for w in layer.weights],
            }
        )
    return atomic.sha256(atomic.canonical(rows))


def golden_input(channels: int) -> np.ndarray:
    """The fixed picture (1, SIZE, SIZE, channels) float32 whose output every run stores."""
    grey = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (1, SIZE, SIZE, channels))
    return (grey / 255).astype(np.float32)


def golden_output(network: keras.Model) -> np.ndarray:
    """What ``network`` says to the golden input: (SIZE, SIZE, outputs) float32."""
    import keras

    answer = network(golden_input(network.input.shape[-1]), training=False)
    return np.asarray(keras.ops.convert_to_numpy(answer))[0].astype(np.float32)


def publish(folder: Path, best: Path, manifest: dict[str, Any]) -> None:
    """Write the weights, golden output and run.json of a finished training, run.json last.

    ``best`` is a weights file of the same network; the final file is saved from a freshly built, uncompiled
    network, since one saved from a compiled network carries the optimiser's state and is three times as large.
    The file is compressed, which saves a third where kernels are rounded as a training rounds them.
    """
    network = build(manifest["model"], manifest["network"])
    network.load_weights(best)
    _require_sane(network, manifest["name"])
    temporary, packed = folder / "publishing.weights.h5", folder / "packed.weights.h5"
    try:
        network.save_weights(temporary)
        _pack(temporary, packed)
        content = packed.read_bytes()
    finally:
        for file in (temporary, packed):
            file.unlink(missing_ok=True)
    atomic.write_bytes(folder / places.WEIGHTS, content)
    atomic.write_array(folder / places.GOLDEN, golden_output(network))
    manifest["fingerprint"] = fingerprint(network)
    manifest["parameters"] = int(network.count_params())
    manifest["weights"] = {
        "file": places.WEIGHTS,
        "bytes": len(content),
        "sha256": atomic.sha256(content),
        "golden_sha256": atomic.sha256_file(folder / places.GOLDEN),
    }
    atomic.write_json(folder / "run.json", manifest)


def rounded(weight: np.ndarray) -> np.ndarray:
    """A kernel (float32, two or more axes) to ``SIGNIFICANT`` bits, ties away from zero; anything else as it is.

    The relative error is at most 2**-SIGNIFICANT, as in half precision, without its narrow range.
    """
    if weight.ndim < 2 or weight.dtype != np.float32:
        return weight
    dropped = 24 - SIGNIFICANT
    bits = np.ascontiguousarray(weight).view(np.uint32)
    kept = (bits + np.uint32(1 << (dropped - 1))) >> np.uint32(dropped) << np.uint32(dropped)
    return kept.view(np.float32)


def round_kernels(network: keras.Model) -> None:
    """Every kernel of ``network`` as ``rounded`` gives it; rounding again changes nothing."""
    network.set_weights([rounded(weight) for weight in network.get_weights()])


def _pack(source: Path, target: Path) -> None:
    """The same file with its large arrays compressed, byte for byte the same for the same content."""
    import h5py

    with h5py.File(source) as read, h5py.File(target, "w") as written:

        def copy(name: str, found: Any) -> None:
            if not isinstance(found, h5py.Dataset):
                made = written.require_group(name)
            elif found.size < COMPRESSED_FROM:
                made = written.create_dataset(name, data=found[()])
            else:
                made = written.create_dataset(name, data=found[()], shuffle=True, compression=9)
            made.attrs.update(found.attrs)

        written.attrs.update(read.attrs)
        read.visititems(copy)


def load(run: Run) -> keras.Model:
    """The network of a run with its weights, verified; RunRefused with the reason otherwise.

    Checks in this order: size and checksum, fingerprint, finite and plausible values, golden output.
    """
    folder, promised = places.run(run.name), run.manifest["weights"]
    path = folder / places.WEIGHTS
    for file, expected in ((path, promised["sha256"]), (folder / places.GOLDEN, promised["golden_sha256"])):
        if not file.is_file() or file.is_symlink():
            raise _refused(run, f"{file.name} is missing or a link")
        got = atomic.sha256_file(file)
        if got != expected:
            raise _refused(run, f"checksum of {file.name}: expected {expected[:8]}, got {got[:8]}")
    network = build(run.model, run.manifest["network"])
    got = fingerprint(network)
    if got != run.manifest["fingerprint"]:
        raise _refused(run, f"network fingerprint: expected {run.manifest['fingerprint'][:8]}, got {got[:8]}")
    try:
        network.load_weights(path)
    except (ValueError, KeyError, OSError, RuntimeError) as error:
        raise _refused(run, f"{path.name} does not fit the network ({type(error).__name__})") from error
    _require_sane(network, run.name)
    stored = np.load(folder / places.GOLDEN, allow_pickle=False)
    answer = golden_output(network)
    if answer.shape != stored.shape:
        raise _refused(run, f"golden output: expected shape {stored.shape}, got {answer.shape}")
    difference = float(np.abs(answer - stored).max())
    if not difference <= GOLDEN_TOLERANCE:
        raise _refused(run, f"golden output differs by {difference:.2g}, allowed {GOLDEN_TOLERANCE:g}")
    return network


def _inputs(layer: Any) -> list[str]:
    if type(layer).__name__ == "InputLayer":
        return []
    given = layer.input if isinstance(layer.input, (list, tuple)) else [layer.input]
    return [tensor._keras_history.operation.name for tensor in given]


def _require_sane(network: keras.Model, name: str) -> None:
    import keras

    for weight in network.weights:
        values = np.asarray(keras.ops.convert_to_numpy(weight))
        remedy = f"Delete artifacts/runs/{name} and train again."
        if not np.isfinite(values).all():
            raise RunRefused(f"Run {name}: {weight.path} holds NaN or infinity. {remedy}")
        if np.abs(values).max(initial=0) >= LARGEST:
            raise RunRefused(f"Run {name}: {weight.path} holds values above {LARGEST:g}. {remedy}")
        if weight.path.endswith("moving_variance") and values.min(initial=0) < 0:
            raise RunRefused(f"Run {name}: {weight.path} holds a negative variance. {remedy}")


def _refused(run: Run, reason: str) -> RunRefused:
    return RunRefused(
        f"Weights of run {run.name} rejected: {reason}. "
        f"Restore artifacts/runs/{run.name}, or delete the folder and train again: "
        f"python -m core train {run.dataset} {run.model} --seed {run.seed}"
    )
