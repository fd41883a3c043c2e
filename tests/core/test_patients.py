"""Which volumes are of one patient: what the file says, else what is known, else each its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import patients
from core.errors import DataRefused

CASES = ("volume-0", "volume-1", "volume-2", "volume-10")


def given(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "patients.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_patient_is_named_after_its_first_volume_not_after_what_the_file_says(tmp_path: Path) -> None:
    path = given(tmp_path, "patient,case,note\nMiller,volume-10,\nMiller, volume-1 ,twice\nMeyer,volume-0,\n")
    found = patients.of(CASES, patients.read(path, CASES), ((0, 1),))
    assert found == {
        "volume-0": ("volume-0", "given"),
        "volume-1": ("volume-1", "given"),
        "volume-2": ("volume-2", ""),
        "volume-10": ("volume-1", "given"),
    }


def test_without_a_file_what_is_known_holds_and_the_others_are_their_own() -> None:
    found = patients.of(CASES, {}, ((10, 1), (7, 8)))
    assert [found[case] for case in CASES] == [
        ("volume-0", ""),
        ("volume-1", "by appearance"),
        ("volume-2", ""),
        ("volume-1", "by appearance"),
    ]
    assert {patient for patient, _ in patients.of(CASES, {}, ()).values()} == set(CASES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,person\nvolume-0,a\n", "expected the columns case,patient, got .'case', 'person'"),
        ("", "expected the columns case,patient"),
        (
            "case,patient\nvolume-0,a\nvolume-77,a\n",
            "line 3: expected a case such as volume-0, got 'volume-77'",
        ),
        ("case,patient\nvolume-0,a\nvolume-0,b\n", "line 3: volume-0 is listed twice"),
        ("case,patient\nvolume-0,\n", "line 2: volume-0 has no patient"),
        ("case,patient\nvolume-0\n", "line 2: volume-0 has no patient"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(DataRefused, match=rf"patients\.csv.*{message}") as refusal:
        patients.read(given(tmp_path, text), CASES)
    assert refusal.value.code == "groups"


def test_a_missing_file_and_one_that_is_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=r"patients\.csv cannot be read: No such file"):
        patients.read(tmp_path / "patients.csv", CASES)
    (tmp_path / "patients.csv").write_bytes(b"\xff\xfe\x00c")
    with pytest.raises(DataRefused, match="expected CSV in UTF-8"):
        patients.read(tmp_path / "patients.csv", CASES)


def test_a_file_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    path = given(tmp_path, "case,patient\r\nvolume-0,a\r\nvolume-1,a\r\n", "utf-8-sig")
    assert patients.read(path, CASES) == {"volume-0": "a", "volume-1": "a"}


def test_what_was_given_last_time_is_kept_for_the_cases_that_are_still_there(tmp_path: Path) -> None:
    stored = given(
        tmp_path, "case,patient,why\nvolume-0,volume-0,given\nvolume-1,volume-0,given\nvolume-2,volume-2,\n"
    )
    assert patients.kept(stored, ("volume-1", "volume-2")) == {"volume-1": "volume-0"}
    assert patients.kept(tmp_path / "nothing.csv", CASES) == {}
