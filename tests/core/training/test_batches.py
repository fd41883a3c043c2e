"""Batches: image and labels move together, and an epoch depends on its number alone."""

from __future__ import annotations

import numpy as np
import pytest

from core.training.order import shuffled

pytestmark = pytest.mark.slow  # the module imports Keras


@pytest.fixture
def cases():
    rng = np.random.default_rng(0)
    labels = np.zeros((6, 128, 128), np.uint8)
    for number in range(6):
        labels[number, 40 + 4 * number : 70 + 4 * number, 30:80] = 1
    images = np.where(labels[..., None] > 0, 0.1, 0.9).astype(np.float32)
    return images + rng.normal(0, 0.01, images.shape).astype(np.float32).clip(-0.05, 0.05), labels


def batches(cases, **changes):
    from core.training.batches import Batches

    options = {"batch": 2, "seed": 3, "epoch": 1, "augment": 1.0, **changes}
    return Batches(*cases, shuffled(np.arange(6), options["seed"], options["epoch"]), **options)


def test_the_same_epoch_twice_is_bit_for_bit_the_same(cases):
    first, again = batches(cases), batches(cases)
    assert all(np.array_equal(a, b) for a, b in zip(first.draw(1), again.draw(1), strict=True))


def test_another_epoch_has_another_order_and_other_disturbances(cases):
    assert not np.array_equal(batches(cases).draw(0)[0], batches(cases, epoch=2).draw(0)[0])


def test_labels_follow_the_image(cases):
    for image, labels in (batches(cases)._pair(row) for row in range(6)):
        inside, outside = image[..., 0][labels == 1], image[..., 0][labels == 0]
        assert np.median(inside) < 0.45
        assert np.median(outside) > np.median(inside) + 0.2


def test_augmentation_invents_no_labels_and_stays_in_range(cases):
    images, labels = batches(cases).draw(0)
    assert set(np.unique(labels)) <= {0, 1}
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1


def test_ultrasound_is_flipped_in_half_of_the_views_and_ct_never(cases):
    from core.training.batches import CT, ULTRASOUND, disturbed

    left = np.zeros((128, 128), np.uint8)
    left[54:74, 5:25] = 1
    image = left[..., None].astype(np.float32)
    for kind, expected in ((ULTRASOUND, range(20, 81)), (CT, range(1))):
        views = [disturbed(image, left, np.random.default_rng(n), 0.5, kind)[1] for n in range(100)]
        assert sum(view[:, 64:].sum() > view[:, :64].sum() for view in views) in expected


def test_strength_zero_gives_the_prepared_arrays(cases):
    plain = batches(cases, augment=0.0)
    assert np.array_equal(plain.draw(0)[0][0], cases[0][plain.rows[0]])


def test_an_epoch_has_whole_batches_only(cases):
    assert len(batches(cases, batch=4)) == 1
