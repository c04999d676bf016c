import pytest

from microgpt.checkpoint import CheckpointError
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import DataError
from microgpt.training.run import train_checkpoint
from tests.folders import names
from tests.small_run import MODEL, TRAINING, rows_of


def test_changed_settings_are_announced(corpus, tmp_path):
    rows_of(corpus, tmp_path / "out", steps=4)
    notes: list[str] = []
    config = TrainConfig(**TRAINING | {"steps": 5})
    for _ in train_checkpoint(
        corpus,
        GPTConfig(**MODEL),
        config,
        tmp_path / "out",
        device="cpu",
        resume=True,
        note=notes.append,
    ):
        pass
    assert notes == ["changed settings: at step 4: steps from 4 to 5"]


@pytest.mark.parametrize(
    ("model", "train", "message"),
    [
        ({"n_embd": 2048}, {}, "the weights of this model would take"),
        ({}, {"steps": 100_000, "eval_interval": 1}, "would estimate its losses 100,014 times"),
    ],
)
def test_a_checkpoint_that_could_not_be_loaded_is_refused_before_the_first_step(
    corpus, tmp_path, model, train, message
):
    shape = GPTConfig(**MODEL | {"n_layer": 12} | model)
    config = TrainConfig(**TRAINING | train)
    with pytest.raises(CheckpointError, match=message):
        next(train_checkpoint(corpus, shape, config, tmp_path / "out", device="cpu"))
    assert names(tmp_path) == set()


def test_a_run_without_a_task_needs_a_text(tmp_path):
    with pytest.raises(DataError, match="there is no text"):
        next(train_checkpoint(None, GPTConfig(**MODEL), TrainConfig(**TRAINING), tmp_path / "out"))
