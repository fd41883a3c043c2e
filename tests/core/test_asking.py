"""Questions about one slice: regions, clicks, components and one region for all networks."""

import dataclasses

import numpy as np
import pytest

from core import asking
from core.errors import DataMissing
from core.explain import targets
from core.preprocess import small_labels
from core.records import Prediction, Target
from tests.bench.published import noise_slice

pytestmark = pytest.mark.slow  # the run's folder is made with Keras


def predicted(run, *squares):
    """A prediction that draws squares (row, column, side) on the 128 x 128 grid."""
    probability = np.full((128, 128, 1), 0.1, np.float32)
    for row, column, side in squares:
        probability[row : row + side, column : column + side] = 0.9
    return Prediction(run, noise_slice().key, probability)


def test_a_click_on_the_picture_lands_on_the_networks_grid(run):
    prediction = predicted(run, (60, 30, 10))
    found = asking.pixel_target(prediction, 100, 60, (200, 240))
    assert found == Target("tumour", "pixel", row=64, column=32)
    assert asking.pixel_target(prediction, 199, 239, (200, 240), 0) == Target(
        "background", "pixel", row=127, column=127, radius=0
    )
    with pytest.raises(ValueError, match="column"):
        asking.pixel_target(prediction, 0, 240, (200, 240))


def test_separate_regions_are_numbered_as_targets_count_them(run):
    slice, prediction = noise_slice(), predicted(run, (10, 10, 4), (60, 60, 8), (100, 20, 2))
    numbers, sizes = asking.numbered_components(slice, prediction, "tumour")
    assert sizes == (64, 16, 4)
    for index in (1, 2, 3):
        asked = Target(region="component", index=index)
        assert np.array_equal(asking.target_region(slice, prediction, asked), numbers == index)
    _, drawn = asking.numbered_components(slice, prediction, "tumour", "reference")
    assert drawn == (int(small_labels(slice.reference).sum()),)


def test_one_region_for_all_is_the_reference_and_else_what_any_network_draws(run):
    slice, one, other = noise_slice(), predicted(run, (10, 10, 4)), predicted(run, (12, 12, 4))
    reference = small_labels(slice.reference) == 1
    assert np.array_equal(asking.shared_region(slice, [one, other], "tumour"), reference)
    for without in (None, np.zeros((200, 240), np.uint8)):
        bare = dataclasses.replace(slice, reference=without)
        mask = asking.shared_region(bare, [one, other], "tumour")
        assert mask.sum() == 16 + 16 - 4
        assert np.array_equal(asking.target_region(bare, one, Target(region="shared"), mask), mask)


def test_a_region_that_needs_the_expert_says_so(run):
    bare = dataclasses.replace(noise_slice(), reference=None)
    with pytest.raises(DataMissing, match="expert outline"):
        asking.target_region(bare, predicted(run), Target(region="missed"))


def test_an_address_leads_back_to_the_question(run):
    asked = asking.pixel_target(predicted(run), 3, 4, (128, 128))
    assert targets.from_key(asked.key) == asked
    assert (
        asking.target_sentence(run, asked) == "Why does U-Net say background just here, at row 3, column 4?"
    )
