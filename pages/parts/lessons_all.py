"""All lessons, in the order in which they are offered."""

from __future__ import annotations

from pages.parts import (
    lessons_dice,
    lessons_find,
    lessons_gradcam,
    lessons_layers,
    lessons_leakage,
    lessons_scale,
    lessons_threshold,
)

LESSONS = (
    lessons_find.LESSON,
    lessons_gradcam.LESSON,
    lessons_layers.LESSON,
    lessons_scale.LESSON,
    lessons_leakage.LESSON,
    lessons_threshold.LESSON,
    lessons_dice.LESSON,
)
