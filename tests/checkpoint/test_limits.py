import dataclasses

import pytest

from microgpt.checkpoint import FILES, WEIGHTS, CheckpointError, load, save
from microgpt.checkpoint.limits import check_evaluations, check_model
from microgpt.checkpoint.loss_record import MAX_EVALUATIONS
from microgpt.config import GPTConfig
from microgpt.training.presets import PRESETS


def test_the_models_of_all_presets_can_be_saved():
    for preset in PRESETS.values():
        check_model(preset.model)


def test_a_model_whose_weights_could_not_be_loaded_is_refused_in_one_sentence():
    with pytest.raises(CheckpointError) as caught:
        check_model(GPTConfig(n_embd=2048, n_head=8))
    assert str(caught.value) == (
        "the weights of this model would take 606 MB and a checkpoint holds at most 512 MB; "
        "lower n_embd, n_layer or mlp_ratio"
    )


@pytest.mark.parametrize("change", [{}, {"norm": "none"}, {"n_layer": 12}], ids=str)
def test_a_model_that_is_not_refused_has_a_file_within_the_limit(
    tmp_path, model, tiny_checkpoint, monkeypatch, change
):
    config = dataclasses.replace(model.config, **change)
    unsaved = dataclasses.replace(load(tiny_checkpoint), model=type(model)(config))
    save(tmp_path / "saved", unsaved)
    size = (tmp_path / "saved" / WEIGHTS).stat().st_size
    monkeypatch.setitem(FILES, WEIGHTS, size - 1)
    with pytest.raises(CheckpointError, match="the weights of this model would take"):
        check_model(config)


def test_more_estimates_than_a_record_holds_are_refused_in_one_sentence():
    check_evaluations(MAX_EVALUATIONS)
    with pytest.raises(CheckpointError) as caught:
        check_evaluations(MAX_EVALUATIONS + 1)
    assert str(caught.value) == (
        "the run would estimate its losses 100,001 times and a loss record holds at most 100,000 "
        "estimates; raise eval_interval"
    )
