"""Weights that are not what run.json promises are refused, each with its reason."""

from __future__ import annotations

import functools
import json
import shutil

import h5py
import numpy as np
import pytest

from core import atomic, places, runs
from core.errors import RunMissing, RunRefused

pytestmark = pytest.mark.slow
NAME = "busi-unet-0"
NETWORK = {"width": 4, "channels_in": 1, "classes": 1}


def manifest(**changes):
    return {
        "format": runs.FORMAT,
        "name": NAME,
        "dataset": "busi",
        "model": "unet",
        "seed": 0,
        "width": 4,
        "recipe": "strong",
        "classes": ["background", "tumour"],
        "network": dict(NETWORK),
        "split": {"name": "busi-group", "sha256": "0" * 64},
        "best_epoch": 1,
        "validation": {"val_dice": 0.5},
        **changes,
    }


@functools.cache
def _published(folder):
    import keras

    from core import weights

    keras.utils.set_random_seed(3)
    network = weights.build("unet", NETWORK)
    best = folder / "best.weights.h5"
    network.save_weights(best)
    weights.publish(folder, best, manifest())
    return folder


@pytest.fixture
def folder(tmp_path_factory, artifacts):
    """The run folder of a published width-4 U-Net, this test's own copy."""
    shared = tmp_path_factory.getbasetemp() / "published-unet"
    shared.mkdir(exist_ok=True)
    return shutil.copytree(_published(shared), places.run(NAME))


def load():
    from core import weights

    return weights.load(runs.read_run(NAME))


def promise(folder, **changes):
    """Rewrite run.json, and with it the checksum of whatever the weights file is now."""
    content = json.loads((folder / "run.json").read_text()) | changes
    path = folder / places.WEIGHTS
    content["weights"] |= {"sha256": atomic.sha256_file(path), "bytes": path.stat().st_size}
    atomic.write_json(folder / "run.json", content)


def edit(folder, change):
    """Apply ``change`` to the first convolution's kernel inside the weights file."""
    with h5py.File(folder / places.WEIGHTS, "r+") as file:
        found = []
        file.visit(lambda path: found.append(path) if path.endswith("/vars/0") else None)
        dataset = file[next(path for path in found if file[path].ndim == 4)]
        dataset[...] = change(dataset[...])
    promise(folder)


def test_whole_weights_load_and_answer_as_when_they_were_published(folder):
    from core import weights

    stored = np.load(folder / places.GOLDEN)
    assert np.abs(weights.golden_output(load()) - stored).max() < 1e-6


def test_the_published_file_carries_no_optimiser(folder):
    with h5py.File(folder / places.WEIGHTS) as file:
        assert "optimizer" not in file


def test_kernels_are_rounded_to_eleven_bits_and_vectors_are_not():
    from core.weights import rounded

    kernel = np.array([[1.0, 1 + 2**-11, 1 + 2**-12, -(1 + 2**-11), 3e-30]], np.float32)
    kept = rounded(kernel)
    assert kept[0, :4].tolist() == [1.0, 1 + 2**-10, 1.0, -(1 + 2**-10)]
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, 8, 8)).astype(np.float32)
    assert np.abs(rounded(kernel) / kernel - 1).max() <= 2**-11
    assert np.array_equal(rounded(rounded(kernel)), rounded(kernel))
    vector = kernel[0, 0, 0]
    assert rounded(vector) is vector


def test_the_published_file_is_compressed_and_the_same_for_the_same_weights(folder, tmp_path):
    from core import weights

    network = load()
    weights.round_kernels(network)
    plain, again = tmp_path / "plain.weights.h5", tmp_path / "again"
    network.save_weights(plain)
    again.mkdir()
    weights.publish(again, plain, manifest())
    packed = (again / places.WEIGHTS).read_bytes()
    weights.publish(folder, plain, manifest())
    assert (folder / places.WEIGHTS).read_bytes() == packed
    assert len(packed) < 0.8 * plain.stat().st_size
    assert sorted(path.name for path in again.iterdir()) == [places.GOLDEN, places.WEIGHTS, "run.json"]


def test_one_flipped_bit_is_refused_by_checksum(folder):
    content = bytearray((folder / places.WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / places.WEIGHTS).write_bytes(content)
    with pytest.raises(RunRefused, match="checksum"):
        load()


def test_a_truncated_file_is_seen_without_reading_it(folder):
    content = (folder / places.WEIGHTS).read_bytes()
    (folder / places.WEIGHTS).write_bytes(content[:-10])
    with pytest.raises(RunRefused, match="bytes"):
        load()
    assert "bytes" in runs.list_runs()[0].problem


def test_nan_weights_are_refused(folder):
    edit(folder, lambda kernel: kernel * np.nan)
    with pytest.raises(RunRefused, match="NaN"):
        load()


def test_absurdly_large_weights_are_refused(folder):
    edit(folder, lambda kernel: kernel + 1e8)
    with pytest.raises(RunRefused, match="above"):
        load()


def test_other_numbers_under_a_matching_checksum_fail_the_golden_output(folder):
    edit(folder, lambda kernel: kernel * -1)
    with pytest.raises(RunRefused, match="golden"):
        load()


def test_weights_of_another_architecture_are_refused(folder):
    promise(folder, model="dcunet")
    with pytest.raises(RunRefused, match="fingerprint"):
        load()


def test_a_manifest_that_asks_for_another_width_is_refused(folder):
    promise(folder, network={**NETWORK, "width": 5})
    with pytest.raises(RunRefused, match="fingerprint"):
        load()


def test_settings_that_build_no_network_are_refused_and_say_why(folder):
    promise(folder, model="dcunet", network={**NETWORK, "width": 2})
    with pytest.raises(RunRefused, match="at least 4"):
        load()


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path):
    moved = shutil.move(folder / places.WEIGHTS, tmp_path / "elsewhere.h5")
    (folder / places.WEIGHTS).symlink_to(moved)
    with pytest.raises(RunRefused, match="link"):
        load()


def test_a_missing_file_is_named(folder):
    (folder / places.WEIGHTS).unlink()
    with pytest.raises(RunRefused, match="missing"):
        load()


def test_a_run_that_never_was_is_missing_and_says_how_to_train():
    with pytest.raises(RunMissing, match="python -m core train"):
        runs.read_run("busi-unet-7")


def test_a_broken_manifest_leaves_the_other_runs_alone(folder):
    other = shutil.copytree(folder, places.run("busi-unet-1"))
    (other / "run.json").write_text("{")
    listed = {run.name: run.problem for run in runs.list_runs()}
    assert listed[NAME] is None
    assert "cannot be read" in listed["busi-unet-1"]


def test_a_copied_folder_does_not_pass_for_another_run(folder):
    shutil.copytree(folder, places.run("busi-unet-2"))
    with pytest.raises(RunRefused, match="its folder is"):
        runs.read_run("busi-unet-2")


def test_the_fingerprint_sees_what_the_weights_file_cannot():
    import keras
    from keras import layers

    from core.weights import fingerprint

    def twin(swap=False, relu=False, epsilon=1e-3):
        image = keras.Input((8, 8, 1), name="image")
        a = layers.Conv2D(2, 3, padding="same", name="a")(image)
        b = layers.Conv2D(2, 3, padding="same", name="b")(image)
        x = layers.Concatenate(name="join")([b, a] if swap else [a, b])
        x = layers.BatchNormalization(epsilon=epsilon, name="bn")(x)
        x = layers.ReLU(name="relu")(x) if relu else x
        return fingerprint(keras.Model(image, layers.Conv2D(1, 1, name="logits")(x)))

    prints = [twin(), twin(swap=True), twin(relu=True), twin(epsilon=1e-5)]
    assert twin() == prints[0]
    assert len(set(prints)) == 4
