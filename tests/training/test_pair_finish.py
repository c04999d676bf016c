import json
from pathlib import Path

import numpy as np
import pytest
import torch

from microgpt import checkpoint, tasks
from microgpt.analysis.cross_scores import cross_scores
from microgpt.analysis.exact_match import evaluate_pairs, held_out_phrases
from microgpt.cli import main
from microgpt.config import EncoderDecoderConfig, GPTConfig, TrainConfig
from microgpt.data import DataError
from microgpt.dates import EXAMPLES, is_line_held_out, read
from microgpt.encoder_decoder import EncoderDecoder
from microgpt.model import on_meta
from microgpt.pairs import split_pairs
from microgpt.tasks import task_text
from microgpt.tokenizer import CharTokenizer
from microgpt.training.folder import RunFolder
from microgpt.training.pair_finish import SCORED_PHRASES
from microgpt.training.run import train_checkpoint
from microgpt.training.snapshot_weights import fill, weights_file, weights_files
from microgpt.training.snapshots import snapshot_steps
from tests.pair_run import LENGTH, MODEL, TRAINING, rows_of
from tests.small_run import without_times


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("pairs") / "dates"
    rows_of(out)
    return out


@pytest.fixture(scope="module")
def loaded(trained) -> checkpoint.PairCheckpoint:
    return checkpoint.load_pairs(trained, strict=True)


@pytest.fixture(autouse=True)
def short_text(monkeypatch):
    monkeypatch.setattr(tasks, "LENGTH", LENGTH)


def test_a_run_is_recorded_like_that_of_a_gpt(trained, loaded):
    assert isinstance(loaded.model, EncoderDecoder)
    assert loaded.notes == ()
    assert {row.step for row in loaded.loss_record} == {0, 2, 3, 4, 6}
    training = loaded.training
    assert (training.data, training.steps, training.tokens) == ("Dates", 6, 6 * 4 * 11)
    assert json.loads((trained / "config.json").read_text())["kind"] == "encoder-decoder"
    assert "every tenth day is held out" in (trained / "README.md").read_text().lower()


def test_the_checkpoint_holds_the_accuracy_on_held_out_phrases(loaded):
    text = task_text(loaded.training.config)
    held_out = split_pairs(loaded.tokenizer, text, is_line_held_out).val
    found = evaluate_pairs(loaded.model, loaded.tokenizer, held_out)
    assert loaded.training.exact_match == found["exact_match"]
    assert loaded.training.val_loss_full == pytest.approx(found["val_loss_full"], abs=1e-4)


def test_no_phrase_of_a_held_out_day_is_trained_on():
    config = TrainConfig(**TRAINING)
    text = task_text(config)
    lines = text.splitlines()
    tokenizer = CharTokenizer.from_text(text)
    splits = split_pairs(tokenizer, text, is_line_held_out)

    def sources(pairs) -> set[str]:
        rows = zip(pairs.source.tolist(), pairs.lengths.tolist(), strict=True)
        return {tokenizer.decode(ids[:length]) for ids, length in rows}

    days = [{read(each).date for each in sources(part)} for part in splits]
    assert not days[0] & days[1]
    assert len(splits.train) + len(splits.val) == len(lines)


def test_snapshots_are_those_of_the_weights_that_the_run_keeps(trained, loaded):
    steps = snapshot_steps(TRAINING["steps"], TRAINING["snapshot_count"])
    folder = RunFolder(trained).snapshots
    snapshots, scores = loaded.snapshots, loaded.cross_scores
    assert snapshots.steps.tolist() == scores.steps == steps == sorted(weights_files(folder))
    tokenizer = loaded.tokenizer
    text = task_text(loaded.training.config)
    phrases = held_out_phrases(
        tokenizer, split_pairs(tokenizer, text, is_line_held_out).val, SCORED_PHRASES
    )
    for at, step in enumerate(steps):
        model = fill(on_meta(lambda: EncoderDecoder(loaded.config)), weights_file(folder, step))
        expected = cross_scores(model, tokenizer, phrases, step)
        torch.testing.assert_close(scores.shares[at], expected.shares[0], atol=1e-3, rtol=0)
        torch.testing.assert_close(scores.exact[at], expected.exact[0], atol=1e-3, rtol=0)
        for e, example in enumerate(EXAMPLES):
            phrase = read(example)
            assert snapshots.lengths[e] == len(example)
            source = torch.tensor([tokenizer.encode(example)])
            ids = tokenizer.encode(f"\t{phrase.iso}\n")
            logits, maps = model.forward_with_attention(source, torch.tensor([ids[:-1]]))
            n = len(example)
            for name, found in (
                ("encoder", snapshots.encoder[at, e, :, :, :n, :n]),
                ("decoder", snapshots.decoder[at, e]),
                ("cross", snapshots.cross[at, e, ..., :n]),
            ):
                levels = 255 * getattr(maps, name)[0].numpy()
                np.testing.assert_allclose(found, levels, atol=0.51)
            probs = logits[0].softmax(-1)[range(len(ids) - 1), ids[1:]]
            np.testing.assert_allclose(snapshots.probs[at, e], probs, atol=1e-3)


def test_a_resumed_run_gives_the_same_weights_and_scores(trained, loaded, tmp_path):
    out = tmp_path / "out"
    config, model = TrainConfig(**TRAINING), EncoderDecoderConfig(**MODEL)
    rows = train_checkpoint(None, model, config, out, device="cpu")
    for row in rows:
        if row.step == 4:
            break
    rows.close()
    resumed = rows_of(out, resume=True)
    again = checkpoint.load_pairs(out)
    assert again.weights_sha256 == loaded.weights_sha256
    assert again.cross_scores.to_json() == loaded.cross_scores.to_json()
    assert without_times(again.loss_record) == without_times(loaded.loss_record)
    assert resumed[-1].step == 6


def test_an_interrupted_run_is_measured_without_its_accuracy(tmp_path):
    config, model = TrainConfig(**TRAINING), EncoderDecoderConfig(**MODEL)
    rows = train_checkpoint(None, model, config, tmp_path / "out", device="cpu", stop=lambda: True)
    list(rows)
    made = checkpoint.load_pairs(tmp_path / "out")
    assert made.training.steps < config.steps and made.training.exact_match is None
    assert made.snapshots.steps.tolist() == made.cross_scores.steps == [0]


@pytest.mark.parametrize(
    ("model", "train", "message"),
    [
        (GPTConfig(block_size=8, n_layer=1, n_head=1, n_embd=8), {}, "--preset dates"),
        (EncoderDecoderConfig(**MODEL), {"task": "repeats"}, "--task dates"),
        (EncoderDecoderConfig(**MODEL | {"source_size": 20}), {}, "source_size is 20"),
        (EncoderDecoderConfig(**MODEL | {"block_size": 10}), {}, "block_size is 10"),
    ],
)
def test_a_model_that_does_not_fit_the_task_is_refused(tmp_path, model, train, message):
    config = TrainConfig(**TRAINING | train)
    with pytest.raises(DataError, match=message):
        next(train_checkpoint(None, model, config, tmp_path / "out", device="cpu"))


def test_a_gpt_cannot_be_opened_as_an_encoder_decoder_nor_the_other_way(trained, tiny_checkpoint):
    with pytest.raises(checkpoint.CheckpointError, match="page Cross-attention"):
        checkpoint.load(trained)
    with pytest.raises(checkpoint.CheckpointError, match="has no cross-attention"):
        checkpoint.load_pairs(tiny_checkpoint)


def test_an_unknown_kind_is_refused_in_one_sentence(trained, tmp_path):
    values = json.loads((trained / "config.json").read_text())
    for path in trained.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(values | {"kind": "diffusion"}))
    with pytest.raises(checkpoint.CheckpointError, match=r"kind 'diffusion'.* update microGPT"):
        checkpoint.load_any(tmp_path)


def test_the_preset_of_the_task_is_the_default(tmp_path, capsys):
    sizes = [f"--set={name}={value}" for name, value in (MODEL | TRAINING).items()]
    out = str(tmp_path / "out")
    assert main(["train", "--task", "dates", "--out", out, "--device", "cpu", *sizes]) == 0
    assert "held-out phrases are translated exactly" in capsys.readouterr().err
    assert checkpoint.load_pairs(out).training.preset == "dates"
