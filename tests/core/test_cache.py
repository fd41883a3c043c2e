"""The cache: what comes back, and what damage does (nothing but a miss)."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core import cache, places
from core.errors import CoreError


@pytest.fixture(autouse=True)
def _artifacts(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_ARTIFACTS", str(tmp_path))


NAME = cache.key("prediction", "weights", "image")
ARRAYS = {"probability": np.arange(6, dtype=np.float32).reshape(2, 3), "other": np.zeros(2, np.uint8)}
FACTS = {"run": "busi-unet-0", "score": None, "states": {"a.b": ["ok"]}}


def stored():
    cache.write("predictions", NAME, ARRAYS, FACTS)
    return cache.path("predictions", NAME)


def test_what_is_written_comes_back():
    stored()
    arrays, facts = cache.read("predictions", NAME, ["probability", "other"])
    assert facts == FACTS
    assert arrays["probability"].dtype == np.float32
    assert np.array_equal(arrays["probability"], ARRAYS["probability"])
    assert np.array_equal(arrays["other"], ARRAYS["other"])


def test_only_the_arrays_asked_for_are_read():
    stored()
    arrays, _ = cache.read("predictions", NAME, ["other"])
    assert list(arrays) == ["other"]


def test_nothing_stored_is_a_miss():
    assert cache.read("predictions", NAME, []) is None


def test_an_array_that_is_not_there_is_a_miss():
    stored()
    assert cache.read("predictions", NAME, ["gradcam.decoder_9"]) is None


def test_the_same_content_gives_the_same_bytes():
    first = stored().read_bytes()
    assert stored().read_bytes() == first


def test_keys_differ_in_every_part_and_in_where_one_part_ends():
    keys = {
        cache.key("a", "b"),
        cache.key("ab"),
        cache.key("a", "c"),
        cache.key("b", "a"),
        cache.key("a", "b", ""),
    }
    assert len(keys) == 5
    assert all(len(key) == 64 for key in keys)


def test_a_new_format_finds_no_old_entry(monkeypatch):
    before = cache.key("a")
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    assert cache.key("a") != before


def test_an_entry_under_another_name_is_a_miss():
    other = cache.key("something else")
    path = cache.path("predictions", other)
    path.parent.mkdir(parents=True)
    path.write_bytes(stored().read_bytes())
    assert cache.read("predictions", other, ["probability"]) is None


def test_every_truncation_is_a_miss():
    path = stored()
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert cache.read("predictions", NAME, ["probability", "other"]) is None, length


def test_no_flipped_bit_is_read_as_other_content():
    path = stored()
    whole = path.read_bytes()
    bits = np.random.default_rng(0).integers(0, 8, len(whole))
    misses = 0
    for place, bit in enumerate(bits):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(bit)
        path.write_bytes(bytes(flipped))
        found = cache.read("predictions", NAME, ["probability", "other"])
        if found is None:
            misses += 1
            continue
        assert found[1] == FACTS, place
        assert all(np.array_equal(found[0][name], ARRAYS[name]) for name in ARRAYS), place
    assert misses > len(whole) / 2  # what is left are dates and attributes, which nobody reads


def test_garbage_and_a_folder_in_its_place_are_misses():
    path = stored()
    path.write_bytes(b"not a cache entry")
    assert cache.read("predictions", NAME, []) is None
    path.unlink()
    path.mkdir()
    assert cache.read("predictions", NAME, []) is None


def test_pickled_objects_are_never_read():
    import io
    import zipfile

    held = io.BytesIO()
    np.save(held, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    path = stored()
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("facts.json", f'{{"name": "{NAME}"}}')
        file.writestr("probability.npy", held.getvalue())
    assert cache.read("predictions", NAME, []) is not None
    assert cache.read("predictions", NAME, ["probability"]) is None


def test_a_damaged_entry_can_be_written_again():
    path = stored()
    path.write_bytes(path.read_bytes()[:100])
    stored()
    assert cache.read("predictions", NAME, ["probability"]) is not None


def test_a_cache_that_cannot_be_written_is_an_oserror(tmp_path):
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    with pytest.raises(OSError, match="cache"):
        stored()
    assert cache.read("predictions", NAME, []) is None


def test_the_cache_lies_under_the_artifacts_folder(tmp_path):
    assert stored().is_relative_to(tmp_path / "cache")
    assert places.cache() == tmp_path / "cache"


def test_no_temporary_file_is_left():
    folder = stored().parent
    assert [path.name for path in folder.iterdir()] == [f"{NAME}.npz"]


def test_reading_the_cache_loads_neither_keras_nor_scipy():
    check = (
        "import sys; from core import cache; cache.read('predictions', '0' * 64, []);"
        "print([m for m in ('keras', 'tensorflow', 'scipy', 'skimage') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    answer = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=root
    )
    assert answer.stdout.strip() == "[]"


def sized(name, size, used):
    """An entry of about ``size`` bytes, last used ``used`` seconds after 2001."""
    key = cache.key(name)
    cache.write("heatmaps", key, {"map": np.zeros(size, np.uint8)}, {})
    os.utime(cache.path("heatmaps", key), (1e9 + used, 1e9 + used))
    return key


def remaining(*keys):
    return [cache.path("heatmaps", key).is_file() for key in keys]


def test_what_was_used_longest_ago_goes_first(monkeypatch):
    keys = [sized(name, 10_000, used) for name, used in (("a", 20), ("b", 10), ("c", 30))]
    monkeypatch.setenv("TRIPTYCH_CACHE_GB", "25e-6")
    held = cache.trim()
    assert remaining(*keys) == [True, False, True]
    assert 20_000 < held < 22_500
    assert cache.trim() == held


def test_reading_counts_as_use(monkeypatch):
    first, second = (sized(name, 10_000, used) for name, used in (("a", 10), ("b", 20)))
    assert cache.read("heatmaps", first, ["map"]) is not None
    monkeypatch.setenv("TRIPTYCH_CACHE_GB", "15e-6")
    cache.trim()
    assert remaining(first, second) == [True, False]


def test_within_the_limit_nothing_goes():
    keys = [sized(name, 10_000, used) for name, used in (("a", 10), ("b", 20))]
    held = cache.trim()
    assert remaining(*keys) == [True, True]
    assert held == sum(cache.path("heatmaps", key).stat().st_size for key in keys)


def test_writing_on_and_on_keeps_to_the_limit(monkeypatch):
    monkeypatch.setenv("TRIPTYCH_CACHE_GB", "100e-6")
    monkeypatch.setattr(cache, "_written", 0)
    for number in range(60):
        sized(str(number), 10_000, number)
    assert sum(path.stat().st_size for path in places.cache().rglob("*.npz")) <= 100_000 * 1.15


def test_what_a_killed_process_left_is_removed_after_an_hour():
    folder = cache.path("heatmaps", sized("a", 10, 0)).parent
    old, new = folder / ".entry.npz.1.part", folder / ".entry.npz.2.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1e9, 1e9))
    cache.trim()
    assert (old.exists(), new.exists()) == (False, True)


def test_a_limit_that_is_no_number_is_named(monkeypatch):
    monkeypatch.setenv("TRIPTYCH_CACHE_GB", "plenty")
    with pytest.raises(CoreError, match=r"TRIPTYCH_CACHE_GB.*plenty"):
        cache.limit()
