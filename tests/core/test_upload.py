"""An image of a reader's own: checked in a child process, predicted, explained, counted, and nowhere on disk."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from core import explaining, preprocess, reading, upload, upload_child, upload_far
from core.errors import DataRefused
from core.records import Prediction, Target
from tests.core import uploads
from tests.pages import small, small_volumes


def silent(step: str, text: str) -> None:
    """Nobody listens to the steps."""


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No child process: it takes a second to start."""
    monkeypatch.setattr(upload_child, "admitted", upload_child.admit)
    monkeypatch.setattr(upload_child, "reference", upload_child.read_reference)


@pytest.fixture
def picture(in_this_process, artifacts, monkeypatch) -> upload.Upload:
    """A picture, and three stand-ins for networks that read it."""
    shutil.copytree(small.phantoms_and_real(), artifacts)
    small.answer_for_the_networks(monkeypatch)
    return upload.read_upload([uploads.picture(uploads.ultrasound())], silent)


@pytest.fixture
def volume(in_this_process, artifacts, monkeypatch) -> upload.Upload:
    """A CT volume, and three stand-ins for networks that read it."""
    shutil.copytree(small_volumes.prepared(), artifacts)
    monkeypatch.setattr(small, "stand_in", small_volumes.stand_in)
    small.answer_for_the_networks(monkeypatch)
    return upload.read_upload([uploads.volume()], silent)


def on_disk(*folders: Path) -> dict[Path, int]:
    """Every file under some folders with the time of its last change."""
    return {p: p.stat().st_mtime_ns for folder in folders for p in folder.rglob("*") if p.is_file()}


# ---- the child process


def test_a_child_gives_what_this_process_would_and_tells_its_steps(artifacts):
    heard: list[tuple[str, str]] = []
    content = uploads.volume("LAS")
    found = upload.read_upload([content], lambda *step: heard.append(step))
    told: list[tuple[str, str]] = []
    expected = upload_child.admit([content], lambda *step: told.append(step))
    np.testing.assert_array_equal(found.pictures, expected.pictures)
    np.testing.assert_array_equal(found.images, expected.images)
    assert (found.grid, found.flags, found.spacing_mm) == (expected.grid, expected.flags, expected.spacing_mm)
    assert heard == told
    outlined = upload.with_reference(found, uploads.outline("RAS"))
    np.testing.assert_array_equal(outlined.references, uploads.abdomen()[1])


def test_a_refusal_in_the_child_arrives_with_its_code():
    with pytest.raises(DataRefused) as caught:
        upload.read_upload([uploads.bomb()], silent)
    assert caught.value.code == "size"


def test_a_child_that_dies_is_a_refusal(monkeypatch):
    monkeypatch.setattr(upload_child.sys, "executable", "/bin/false")
    with pytest.raises(DataRefused) as caught:
        upload_child.admitted([uploads.volume()], silent)
    assert caught.value.code == "crashed"


def test_a_child_that_takes_too_long_is_ended_and_named(monkeypatch):
    monkeypatch.setattr(upload_child, "SECONDS", 0.05)
    with pytest.raises(DataRefused) as caught:
        upload_child.admitted([uploads.volume()], silent)
    assert caught.value.code == "timeout"


def test_a_reader_who_leaves_ends_the_child(monkeypatch):
    class Left(BaseException):
        pass

    def leave(step: str, text: str) -> None:
        raise Left

    started = []
    real = upload_child.subprocess.Popen
    monkeypatch.setattr(
        upload_child.subprocess, "Popen", lambda *a, **k: started.append(real(*a, **k)) or started[0]
    )
    with pytest.raises(Left):
        upload_child.admitted([uploads.volume()], leave)
    assert started[0].returncode is not None


def test_more_bytes_than_an_upload_may_have_are_refused_before_anything_is_started(monkeypatch):
    monkeypatch.setattr(upload.nifti, "MAX_UPLOAD", 100)
    with pytest.raises(DataRefused) as caught:
        upload.read_upload([bytes(60), bytes(60)], silent)
    assert caught.value.code == "too_large"


def test_nothing_of_an_upload_is_written_to_disk(artifacts, tmp_path, monkeypatch):
    import tempfile

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    shutil.copytree(small.phantoms_and_real(), artifacts)
    small.answer_for_the_networks(monkeypatch)
    before = on_disk(tmp_path)
    for content in (uploads.picture(uploads.ultrasound()), uploads.dicom(uploads.ultrasound(), "US")):
        own = upload.read_upload([content], silent)
        own = upload.with_reference(own, uploads.mask())
        (found,) = upload.predict_upload("busi-unet-0", own)
        upload.explain_upload("busi-unet-0", own, 0, found, Target())
        upload.upload_numbers(own, {"busi-unet-0": [found]})
    with pytest.raises(DataRefused):
        upload.read_upload([uploads.bomb()], silent)
    assert on_disk(tmp_path) == before


# ---- the networks


def test_a_network_says_of_an_upload_what_it_says_of_a_stored_slice(picture):
    (found,) = upload.predict_upload("busi-unet-0", picture)
    stored = reading.predict("busi-unet-0", picture.slice(0))
    np.testing.assert_array_equal(found.probability, stored.probability)


def test_maps_of_an_upload_are_those_of_a_stored_slice(picture):
    (found,) = upload.predict_upload("busi-unet-0", picture)
    target = Target()
    maps = upload.explain_upload("busi-unet-0", picture, 0, found, target)
    assert explaining.stored_heatmap("busi-unet-0", picture.slice(0), "gradcam", "bottleneck", target) is None
    expected = explaining.heatmap("busi-unet-0", picture.slice(0), found, "gradcam", "bottleneck", target)
    np.testing.assert_array_equal(maps["gradcam", "bottleneck", target].values, expected.values)


def test_a_volume_is_predicted_in_batches_and_can_go_on_where_it_stopped(volume):
    asked = upload.predict_upload("lits-unet-0", volume)
    first = [next(asked) for _ in range(5)]
    rest = list(upload.predict_upload("lits-unet-0", volume, start=5))
    whole = list(upload.predict_upload("lits-unet-0", volume))
    assert [one.slice_key for one in whole] == [f"upload/{volume.case}/{k}" for k in range(12)]
    for ours, theirs in zip([*first, *rest], whole, strict=True):
        np.testing.assert_array_equal(ours.probability, theirs.probability)


def test_no_more_slices_are_computed_than_are_asked_for(volume, monkeypatch):
    engine = sys.modules["core.explain.engine"]
    sizes, answer = [], engine.predict
    monkeypatch.setattr(engine, "predict", lambda *asked: sizes.append(len(asked[2])) or answer(*asked))
    asked = upload.predict_upload("lits-unet-0", volume)
    next(asked)
    asked.close()
    assert sizes == [8]


def halves(own: upload.Upload, run: str, columns: int) -> list[Prediction]:
    """A prediction for every slice that marks the left columns of the networks' grid."""
    outputs = own.card.outputs
    probability = np.zeros((128, 128, outputs), np.float32)
    probability[:, :columns, -1] = 1
    if outputs > 1:
        probability[..., 0] = 1 - probability[..., -1]
    return [Prediction(run, own.slice(k).key, probability.copy()) for k in range(own.count)]


def test_votes_and_disagreement_are_counted_on_the_uploads_own_pixels(volume):
    found = {
        f"lits-{m}-0": halves(volume, f"lits-{m}-0", c)
        for m, c in zip(small.MODELS, (128, 128, 0), strict=True)
    }
    n = volume.pictures.size
    numbers = upload.upload_numbers(volume, found)["tumour"]
    assert numbers.marked == {"lits-unet-0": n, "lits-multiresunet-0": n, "lits-dcunet-0": 0}
    assert (numbers.any_network, numbers.most, numbers.every_network) == (n, n, 0)
    assert numbers.disagreement == 1.0
    assert numbers.scores == {}


def test_where_no_network_marks_anything_there_is_no_disagreement(picture):
    numbers = upload.upload_numbers(picture, {"busi-unet-0": halves(picture, "busi-unet-0", 0)})["tumour"]
    assert (numbers.any_network, numbers.disagreement) == (0, 0.0)


def test_scores_against_a_reference_are_those_of_the_pages(picture):
    own = upload.with_reference(picture, uploads.mask())
    (found,) = upload.predict_upload("busi-unet-0", own)
    ours = upload.upload_numbers(own, {"busi-unet-0": [found]})["tumour"].scores["busi-unet-0"]
    theirs = reading.score(own.slice(0), found)["tumour"]
    assert (ours.tp, ours.fp, ours.fn, ours.tn) == (theirs.tp, theirs.fp, theirs.fn, theirs.tn)
    assert ours.values == theirs.values


def test_scores_of_a_volume_are_counted_over_all_its_slices(volume):
    own = upload.with_reference(volume, uploads.outline())
    found = list(upload.predict_upload("lits-unet-0", own))
    ours = upload.upload_numbers(own, {"lits-unet-0": found})
    for name in ("liver", "tumour"):
        each = [reading.score(own.slice(k), one)[name] for k, one in enumerate(found)]
        assert ours[name].scores["lits-unet-0"].tp == sum(one.tp for one in each)
        assert ours[name].scores["lits-unet-0"].fn == sum(one.fn for one in each)


# ---- far from the training images


def test_an_ordinary_picture_is_not_far_and_an_upside_down_or_black_and_white_one_is(in_this_process):
    grey = np.asarray(uploads.ultrasound())
    rows = upload_far.compared("busi", preprocess.network_image(grey)[None])
    assert [row.title for row in rows] == [*upload_far.STATISTICS.values(), upload_far.COMBINED]
    assert not any(row.is_far for row in rows)
    turned = upload_far.compared("busi", preprocess.network_image(np.ascontiguousarray(grey[::-1]))[None])
    assert any(row.is_far for row in turned)
    stripes = np.where(np.indices(grey.shape)[1] // 9 % 2, 255, 0).astype(np.uint8)
    far = {r.title for r in upload_far.compared("busi", preprocess.network_image(stripes)[None]) if r.is_far}
    assert {"contrast (standard deviation)", upload_far.COMBINED} <= far


def test_the_statistics_are_what_their_titles_say():
    image = np.zeros((1, 4, 4, 1), np.float32)
    image[0, :2] = 1
    mean, contrast, dark, bright, detail, descent = upload_far.statistics(image)[0]
    assert (mean, contrast, dark, bright, detail, descent) == (0.5, 0.5, 0.5, 0.5, 1.0, 1.0)


def test_what_was_measured_of_training_images_counts_them_as_near():
    images = np.random.default_rng(0).random((200, 128, 128, 1), np.float32)
    images *= np.random.default_rng(1).uniform(0.3, 1, (200, 1, 1, 1)).astype(np.float32)
    known = upload_far.measured(images)
    seen = upload_far.statistics(images)
    assert known["images"] == 200
    assert (seen >= known["low"]).all()
    assert (seen <= known["high"]).all()
    assert json.loads(json.dumps(known)) == known


def test_a_set_without_measured_images_has_nothing_to_compare_with():
    assert upload_far.compared("phantom_busi", np.zeros((1, 128, 128, 1), np.float32)) == ()


@pytest.mark.real
def test_few_real_pictures_count_as_far_and_every_ct_slice_does(real_data, in_this_process):
    folder = real_data / "busi" / "Dataset_BUSI_with_GT"
    paths = sorted(path for path in folder.glob("*/*.png") if "_mask" not in path.name)[::14]
    far = [upload.read_upload([path.read_bytes()], silent) for path in paths]
    assert np.mean([any(row.is_far for row in own.far) for own in far]) < 0.1
    scan = upload.read_upload([(real_data / "lits" / "volume-0.nii.gz").read_bytes()], silent)
    assert not any(row.is_far for row in scan.far)
    slices = [upload_far.compared("busi", image[None]) for image in scan.images]
    assert np.mean([any(row.is_far for row in rows) for rows in slices]) > 0.9
