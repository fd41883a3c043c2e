"""Agreement between networks: exact for identical maps and for maps with no place in common."""

import numpy as np
import pytest

from core.explain import agreement
from core.records import SIZE, Target
from tests.core.explain.test_focus import heat

SHARED = Target(region="reference")


def maps(*values, **changes):
    given = {"target": SHARED} | changes
    return [heat(one, run=f"run-{at}", **given) for at, one in enumerate(values)]


def test_identical_maps_agree_wholly():
    values = np.random.default_rng(0).normal(size=(16, 16))
    found = agreement.agreement(*maps(values, values))
    assert found == pytest.approx(
        {"agreement_rank": 1, "agreement_similarity": 1, "agreement_top": 1, "divergence": 0}, abs=1e-6
    )
    assert found.why == {}


def test_maps_of_opposite_halves_have_no_place_in_common():
    left, right = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    left[:, :13], right[:, -13:] = 1, 1
    found = agreement.agreement(*maps(left, right))
    assert found["divergence"] == pytest.approx(1)
    assert found["agreement_top"] == 0
    assert found["agreement_rank"] < 0


def test_only_the_similarity_sees_the_scale():
    values = np.random.default_rng(1).random((16, 16))
    found = agreement.agreement(*maps(values, values / 4))
    assert found["agreement_rank"] == pytest.approx(1)
    assert found["divergence"] == pytest.approx(0, abs=1e-9)
    assert found["agreement_similarity"] < 0.8


@pytest.mark.parametrize(
    ("values", "changes", "missing"),
    [
        (np.eye(8), {"target": Target()}, set(agreement.NAMES)),
        (np.eye(8), {"state": "empty_region"},
         set(agreement.NAMES)),
        (-np.eye(8), {}, {"agreement_similarity", "divergence"}),
        (np.ones((8, 8)), {}, {"agreement_rank", "agreement_top"}),
    ],
)  # fmt: skip
def test_an_undefined_agreement_is_nan_with_a_reason(values, changes, missing):
    found = agreement.agreement(*maps(values, values, **changes))
    assert {name for name, value in found.items() if np.isnan(value)} == missing
    assert set(found.why) == missing
    assert all(found.why.values())


def test_a_lesion_of_the_reference_is_the_same_region_for_all():
    assert agreement.is_same_for_all(Target(region="component", of="reference"))
    assert not agreement.is_same_for_all(Target(region="component"))


def test_maps_of_different_questions_are_not_compared():
    one, other = heat(np.eye(8), layer="bottleneck"), heat(np.eye(8), layer="decoder_4")
    with pytest.raises(ValueError, match="expected one question"):
        agreement.agreement(one, other)


def test_every_pair_is_compared_once():
    found = agreement.agreements(maps(np.eye(8), np.eye(8), np.eye(8)))
    assert list(found) == [("run-0", "run-1"), ("run-0", "run-2"), ("run-1", "run-2")]


def test_only_the_strongest_network_keeps_a_place():
    flat = np.zeros((SIZE, SIZE))
    one, two, three = flat.copy(), flat.copy(), flat.copy()
    one[0, :3] = 5, 5, -9
    two[0, :3] = 3, 5, 1
    three[0, :3] = 1, 0, 4
    found = agreement.only_here(maps(one, two, three))
    assert found["run-0"][0, :3].tolist() == [2, 0, 0]
    assert found["run-1"][0, :3].tolist() == [0, 0, 0]
    assert found["run-2"][0, :3].tolist() == [0, 0, 3]
    with pytest.raises(ValueError, match="at least 2"):
        agreement.only_here(maps(one))
