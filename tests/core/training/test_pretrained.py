"""A training that begins with what the same network has learned on another dataset."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from core import places, prepare, runs
from core.errors import RunRefused
from core.training.config import TrainConfig

CONFIG = TrainConfig("phantom_busi", "unet", width=2, epochs=1, batch=4)
OTHER = replace(CONFIG, dataset="busi", pretrained="phantom_busi")
pytestmark = pytest.mark.slow


def trained(config):
    from core.training.fit import train

    name = runs.run_name(config.dataset, config.model, config.seed, config.split)
    return train(name, config, report=lambda facts: None)


@pytest.fixture(scope="module")
def learned_once(phantom_artifacts, tmp_path_factory):
    """The folder of one finished run on the phantoms."""
    folder = tmp_path_factory.mktemp("learned")
    shutil.copytree(phantom_artifacts / "data", folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_ARTIFACTS", str(folder))
        return places.run(trained(CONFIG).name)


@pytest.fixture
def source(phantoms, learned_once):
    """That run in this test's own artifacts folder."""
    shutil.copytree(learned_once, places.run(learned_once.name))
    return runs.read_run(learned_once.name)


def fresh(config, **settings):
    from core import weights

    return weights.build(config.model, config.network(1, 1) | settings)


def test_everything_but_the_head_comes_from_the_other_run(source):
    from core import weights
    from core.training import pretrained

    learned = weights.load(source)
    network = fresh(OTHER)
    head = [weight.copy() for weight in network.get_layer("logits").get_weights()]
    begun = pretrained.begin(network, OTHER)
    assert begun == {"run": "phantom_busi-unet-0", "weights_sha256": source.weights_sha256}
    for mine, theirs in zip(network.layers, learned.layers, strict=True):
        expected = head if mine.name == "logits" else theirs.get_weights()
        for got, wanted in zip(mine.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_a_training_goes_on_from_the_other_run_and_says_so(source, phantom_artifacts):
    from core import weights

    prepare.prepare("busi", phantom_artifacts / "source", "busi")
    unmoved = {"learning_rate": 1e-12, "final_rate": 1e-12, "warmup": 0.0, "weight_decay": 0.0}
    begun = trained(replace(OTHER, **unmoved))
    assert begun.manifest["pretrained"] == {"run": source.name, "weights_sha256": source.weights_sha256}
    mine, theirs = (
        weights.load(run).get_layer("decoder_1_2_conv").get_weights()[0] for run in (begun, source)
    )
    np.testing.assert_allclose(mine, theirs, atol=1e-6)
    assert "pretrained" not in source.manifest


def test_a_resumed_training_needs_the_other_run_no_more_and_still_names_it(source, phantom_artifacts):
    from core.training.fit import train

    prepare.prepare("busi", phantom_artifacts / "source", "busi")
    config = replace(OTHER, epochs=2)

    def interrupt(facts):
        if facts.get("finished_epochs") == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("busi-unet-0", config, report=interrupt)
    shutil.rmtree(places.run(source.name))
    run = train("busi-unet-0", config, resume=True, report=lambda facts: None)
    assert run.manifest["pretrained"] == {"run": source.name, "weights_sha256": source.weights_sha256}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dataset": "phantom_busi"}, "cannot begin with a run on phantom_busi"),
        ({"width": 3}, r"no run of unet at width 3 on 'phantom_busi'.*--width 3 --seed 1\)"),
        ({"model": "dcunet", "width": 4}, r"no run of dcunet at width 4.*--width 4\)"),
        ({"pretrained": "elsewhere"}, "'elsewhere'"),
        ({"batch_norm": False}, "other layers"),
    ],
)
def test_what_it_cannot_begin_with_is_refused_by_name(source, changes, said):
    from core.training import pretrained

    config = replace(OTHER, **changes)
    network = fresh(config)
    before = [weight.copy() for weight in network.get_weights()]
    with pytest.raises(RunRefused, match=said):
        pretrained.begin(network, config)
    for got, wanted in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_damaged_run_is_not_begun_with(source):
    from core.training import pretrained

    (places.run(source.name) / places.WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(RunRefused):
        pretrained.begin(fresh(OTHER), OTHER)


def test_presence_joins_the_loss_after_its_share_of_the_epochs():
    config = replace(CONFIG, epochs=10, presence_from=0.65)
    assert [config.asks_presence(epoch) for epoch in range(1, 11)] == [False] * 6 + [True] * 4
    assert replace(CONFIG, presence_from=0.0).asks_presence(1)
    assert not replace(config, loss="cross_entropy").asks_presence(10)
