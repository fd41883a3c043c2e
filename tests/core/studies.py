"""A reader study without pictures: two readers, four cases and a repeat, made without any dataset."""

from __future__ import annotations

from core import study_files, study_store
from core.study import QUESTIONS, Key, Study, order, shuffles

RUNS = ("set-dcunet-0", "set-multiresunet-0", "set-unet-0")
CASES = ("a", "b", "c", "d")


def plan(
    name: str = "small", readers: tuple[str, ...] = ("ann", "bob"), **changes: object
) -> tuple[Study, Key]:
    """A study and its key that nobody has read yet."""
    orders = {reader: order(CASES, 0.25, 3, reader) for reader in readers}
    fields = {
        "id": name, "title": "Which one?", "dataset": "set", "letters": "ABC", "questions": tuple(QUESTIONS),
        "show_reference": False, "practice": False, "orders": orders, "groups": {case: case for case in CASES},
        "data": "",
    }  # fmt: skip
    hidden = {reader: shuffles(RUNS, 3, reader, found) for reader, found in orders.items()}
    return Study(**{**fields, **changes}), Key(3, dict.fromkeys(RUNS, "ab" * 32), hidden)


def make(name: str = "small", **changes: object) -> Study:
    """The same on disk."""
    return study_files.keep(*plan(name, **changes))


def answers(study: Study, **by_letter: int) -> dict[str, dict[str, str]]:
    """An answer to every question; by letter the number of the answer, from 0, default 0."""
    return {
        letter: {
            question: list(study.answers(question))[
                min(by_letter.get(letter, 0), len(study.answers(question)) - 1)
            ]
            for question in study.questions
        }
        for letter in study.letters
    }


def rate_all(study: Study, reader: str, **by_letter: int) -> None:
    """One reader rates every case, always with the same answers."""
    study_store.sit_down(study, reader, reader)
    for position in range(len(study.orders[reader])):
        study_store.submit(study, reader, reader, position, answers(study, **by_letter), active_s=1.0)
    study_store.leave(study, reader, reader)
