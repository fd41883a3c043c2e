"""Losses against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.slow


def value(loss, reference, logits):
    return float(loss(np.asarray(reference, np.uint8), np.asarray(logits, np.float32)))


def picture(filled):
    reference = np.zeros((1, 16, 16, 1), np.uint8)
    reference[0, :4, :4, 0] = filled
    return reference


def test_binary_cross_entropy_of_zero_logits_is_log_two():
    from core.training.losses import cross_entropy

    assert value(cross_entropy(1), picture(1), np.zeros((1, 16, 16, 1))) == pytest.approx(np.log(2))


def test_categorical_cross_entropy_of_zero_logits_is_log_three():
    from core.training.losses import cross_entropy

    assert value(cross_entropy(3), picture(2), np.zeros((1, 16, 16, 3))) == pytest.approx(np.log(3))


def test_a_wrong_sure_background_pixel_keeps_its_whole_cost():
    from core.training.losses import cross_entropy

    logits = np.full((1, 1, 1, 1), 40.0)
    assert value(cross_entropy(1), np.zeros((1, 1, 1, 1)), logits) == pytest.approx(40.0)


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_perfect_sure_answer_costs_nothing_but_half_the_pixels_do(outputs, monkeypatch):
    from core.training import losses

    monkeypatch.setattr(losses, "PRESENCE_PIXELS", 16)
    reference = picture(1 if outputs == 1 else 2)
    hot = np.eye(3)[reference[..., 0]] if outputs == 3 else reference.astype(float)
    # class 1 is absent with three outputs: its Dice is SMOOTH / SMOOTH
    perfect = (hot * 2 - 1) * 30
    assert value(losses.overlap(outputs), reference, perfect) == pytest.approx(0, abs=1e-3)
    assert value(losses.overlap(outputs), reference, -perfect) > 1


def test_a_false_spot_on_a_normal_image_costs_more_than_its_share_of_pixels(monkeypatch):
    from core.training import losses

    monkeypatch.setattr(losses, "PRESENCE_PIXELS", 2)
    clean, spotted = np.full((1, 16, 16, 1), -10.0), np.full((1, 16, 16, 1), -10.0)
    spotted[0, 0, :2, 0] = 10
    empty = picture(0)
    pixels = value(losses.cross_entropy(1), empty, spotted) - value(losses.cross_entropy(1), empty, clean)
    whole = value(losses.overlap(1), empty, spotted) - value(losses.overlap(1), empty, clean)
    assert whole > 10 * pixels


def test_half_overlap_costs_half_by_hand(monkeypatch):
    from core.training import losses

    monkeypatch.setattr(losses, "CROSS_ENTROPY_SHARE", 0.0)
    monkeypatch.setattr(losses, "PRESENCE_SHARE", 0.0)
    monkeypatch.setattr(losses, "SMOOTH", 0.0)
    logits = np.full((1, 16, 16, 1), -60.0)
    logits[0, :4, 2:6] = 60  # 8 of 16 pixels shared with the reference
    assert value(losses.overlap(1), picture(1), logits) == pytest.approx(0.5, abs=1e-5)


def test_without_presence_the_loss_is_the_one_whose_presence_weighs_nothing(monkeypatch):
    from core.training import losses

    logits = np.random.default_rng(3).normal(size=(1, 16, 16, 1))
    without = value(losses.overlap(1, presence=False), picture(1), logits)
    assert value(losses.overlap(1), picture(1), logits) > without + 0.01
    monkeypatch.setattr(losses, "PRESENCE_SHARE", 0.0)
    assert value(losses.overlap(1), picture(1), logits) == pytest.approx(without, abs=1e-6)
