import copy
import dataclasses
import itertools
import string

import pytest
import torch
from safetensors.torch import load_file

from microgpt import checkpoint
from microgpt.analysis.ablation import surprisal_without_each_head
from microgpt.analysis.attention import attention_maps
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.config import TRAIN_LIMITS, GPTConfig, TrainConfig
from microgpt.data import TINY_SHAKESPEARE_SHA256
from microgpt.engine import Decoder
from microgpt.generate import generate
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer
from microgpt.training.folder import RunFolder
from microgpt.training.snapshot_weights import weights_file
from microgpt.training.snapshots import (
    MAX_BYTES,
    PASSAGE,
    SAMPLE_CONFIG,
    SAMPLE_LENGTH,
    Snapshot,
    earlier_passage_ids,
    nearest,
    passage_ids,
    recompute,
    snapshot_steps,
    stack,
    take_snapshot,
)
from tests.models import random_model
from tests.small_run import STEPS


@pytest.fixture
def dropout_model(model, tiny_config) -> GPT:
    """The small model with dropout, in training mode."""
    shape = GPTConfig(**tiny_config.to_dict() | {"dropout": 0.5})
    copied = GPT(shape)
    copied.load_state_dict(model.state_dict())
    return copied.train()


@pytest.mark.parametrize("steps", [5000, 800, 3, 1])
def test_the_first_snapshot_is_before_training_and_the_last_after_it(steps):
    snapshots = snapshot_steps(steps)
    assert snapshots[0] == 0
    assert snapshots[-1] == steps
    assert snapshots == sorted(set(snapshots))
    assert all(type(snapshot) is int for snapshot in snapshots)


def test_a_run_of_any_length_has_few_snapshots():
    for steps in [*range(1, 3000), 5000, 12_345, 99_999, 123_456, 10_000_000]:
        snapshots = snapshot_steps(steps)
        assert (snapshots[0], snapshots[-1]) == (0, steps)
        assert snapshots == sorted(set(snapshots))
        assert len(snapshots) <= TrainConfig.snapshot_count
        if steps >= 100:
            assert len(snapshots) >= 12


@pytest.mark.parametrize("count", [*TRAIN_LIMITS["snapshot_count"], 3, 30, 60])
def test_a_run_has_as_many_snapshots_as_its_settings_say(count):
    for steps in (1, 7, 1000, 3000, 123_456):
        snapshots = snapshot_steps(steps, count)
        assert (snapshots[0], snapshots[-1]) == (0, steps)
        assert snapshots == sorted(set(snapshots))
        assert len(snapshots) <= count
        if steps > 20 * count:
            assert len(snapshots) >= 0.8 * count


@pytest.mark.parametrize("steps", [800, 1000, 5000])
def test_snapshots_are_denser_at_the_start(steps):
    snapshots = snapshot_steps(steps)
    gaps = [later - earlier for earlier, later in itertools.pairwise(snapshots)]
    assert gaps[0] < gaps[len(gaps) // 2] < max(gaps[-3:])
    assert sum(snapshot <= steps // 4 for snapshot in snapshots) >= len(snapshots) // 2


def test_the_passage_for_tiny_shakespeare_is_cut_to_the_context_window():
    tokenizer = CharTokenizer.from_text(PASSAGE)
    val, of = torch.zeros(500, dtype=torch.int64), TINY_SHAKESPEARE_SHA256
    wide = GPTConfig(vocab_size=tokenizer.vocab_size, block_size=256, n_layer=2, n_head=2, n_embd=8)
    assert tokenizer.decode(passage_ids(tokenizer, val, wide, of)) == PASSAGE
    for window in (1, 16, 64):
        narrow = GPTConfig(**wide.to_dict() | {"block_size": window})
        assert tokenizer.decode(passage_ids(tokenizer, val, narrow, of)) == PASSAGE[:window]


@pytest.mark.parametrize(
    ("opening", "skipped"),
    [("ba do.\nke li", "ba do.\n"), ("bado keli", "bado "), ("bado", "")],
    ids=ascii,
)
def test_the_passage_for_another_text_is_from_its_validation_split(opening, skipped):
    text = opening + 300 * PASSAGE.replace("\n", "").replace(" ", "")
    tokenizer = CharTokenizer.from_text(text + PASSAGE)
    val = torch.tensor(tokenizer.encode(text))
    for window, length in ((1, 1), (16, 16), (64, 64), (4096, 140)):
        shape = GPTConfig(tokenizer.vocab_size, block_size=window, n_layer=2, n_head=2, n_embd=8)
        ids = passage_ids(tokenizer, val, shape, "ab" * 32)
        assert tokenizer.decode(ids) == text[len(skipped) :][:length]


def test_a_state_without_a_passage_has_that_of_earlier_versions():
    val = torch.zeros(500, dtype=torch.int64)
    tokenizer = CharTokenizer.from_text(string.printable)
    earlier = tokenizer.decode(earlier_passage_ids(tokenizer, val, 140))
    assert (len(earlier), earlier[:8], earlier[-17:]) == (140, "MIRIAM:\n", "\nThen bring the m")
    assert earlier_passage_ids(CharTokenizer.from_text("ab"), val, 7) == [0] * 7


def test_a_short_validation_split_is_used_to_its_end():
    tokenizer = CharTokenizer.from_text("abc\n")
    val = torch.tensor(tokenizer.encode("aaaaaaaaaaaaaaa\nbc"))
    shape = GPTConfig(tokenizer.vocab_size, block_size=16, n_layer=2, n_head=2, n_embd=8)
    assert passage_ids(tokenizer, val, shape, "ab" * 32) == val[2:].tolist()


@pytest.mark.parametrize(("letters", "start"), [("ab\n", "\n"), ("ab", "a")], ids=ascii)
def test_a_sample_starts_after_a_newline_or_the_first_known_character(letters, start):
    tokenizer = CharTokenizer.from_text(letters)
    model = random_model(GPTConfig(tokenizer.vocab_size, 8, n_layer=1, n_head=1, n_embd=8), seed=0)
    snapshot = take_snapshot(model, tokenizer, tokenizer.encode("bab"), 0)
    ids = tokenizer.encode(start)
    stream = generate(Decoder(model), tokenizer, ids, SAMPLE_LENGTH, SAMPLE_CONFIG)
    assert snapshot.sample.tolist() == [character.token for character in stream]


def test_the_passage_is_cut_to_the_limit_for_all_maps_and_predictions():
    tokenizer = CharTokenizer.from_text(PASSAGE + "".join(chr(0x4E00 + i) for i in range(900)))
    shape = GPTConfig(tokenizer.vocab_size, block_size=256, n_layer=48, n_head=64, n_embd=64)
    val = torch.zeros(500, dtype=torch.int64)
    length = len(passage_ids(tokenizer, val, shape, TINY_SHAKESPEARE_SHA256))

    def size(length: int) -> int:
        heads = 48 * 64
        maps, probs = heads * length**2, 2 * tokenizer.vocab_size * length
        return TrainConfig.snapshot_count * (maps + probs + 2 * heads * length)

    assert size(length) <= MAX_BYTES < size(length + 1)


def test_a_snapshot_changes_neither_the_model_nor_the_random_state(dropout_model, tokenizer):
    before = copy.deepcopy(dropout_model.state_dict())
    random_before = torch.get_rng_state()
    take_snapshot(dropout_model, tokenizer, [1, 2, 3, 4], 7)
    assert dropout_model.training
    assert all(module.training for module in dropout_model.modules())
    assert all(parameter.requires_grad for parameter in dropout_model.parameters())
    after = dropout_model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert torch.equal(torch.get_rng_state(), random_before)


def test_a_snapshot_holds_the_attention_and_predictions_of_the_model(
    dropout_model, model, tokenizer, corpus
):
    ids = tokenizer.encode(corpus[:16])
    snapshot = take_snapshot(dropout_model, tokenizer, ids, 7)
    expected = attention_maps(model, ids)
    assert snapshot.step == 7
    assert snapshot.maps.dtype == torch.uint8
    assert snapshot.maps.shape == (2, 3, 16, 16)
    assert (snapshot.maps / 255 - expected.weights).abs().max() <= 0.5 / 255 + 1e-6
    assert snapshot.probs.dtype == torch.float16
    torch.testing.assert_close(
        snapshot.probs.float(), expected.logits.softmax(dim=-1), rtol=1e-3, atol=1e-6
    )
    assert snapshot.surprisal_without.dtype == torch.float16
    torch.testing.assert_close(
        snapshot.surprisal_without.double(),
        surprisal_without_each_head(model, ids),
        rtol=1e-3,
        atol=1e-6,
    )


def test_a_surprisal_without_a_head_that_float16_cannot_hold_is_clamped(model, tokenizer):
    sure = copy.deepcopy(model)
    sure.head.weight.mul_(60_000 / sure.head.weight.abs().max())  # the largest that a file holds
    passage = [1, 2, 3, 4, 5]
    assert surprisal_without_each_head(sure, passage).max() > 65_504
    snapshots = stack([take_snapshot(sure, tokenizer, passage, 0)], passage)
    assert snapshots.surprisal_without.max() == 65_504
    opened = Snapshots.from_npz(snapshots.to_npz(), 2, 3, tokenizer.vocab_size)
    assert opened.surprisal_without.max() == 65_504


def test_the_sample_is_generated_without_dropout(dropout_model, model, tokenizer):
    sample = take_snapshot(dropout_model, tokenizer, [1, 2, 3], 0).sample
    ids = tokenizer.encode("\n")
    stream = generate(Decoder(model), tokenizer, ids, SAMPLE_LENGTH, SAMPLE_CONFIG)
    assert sample.tolist() == [character.token for character in stream]


def test_snapshots_are_stacked_in_order(dropout_model, model, tokenizer):
    passage, models = [1, 2, 3], [dropout_model, model]
    snapshots = [take_snapshot(m, tokenizer, passage, step) for step, m in enumerate(models)]
    stacked = stack(snapshots, passage)
    assert stacked.steps.tolist() == [0, 1]
    assert stacked.passage.tolist() == passage
    assert stacked.maps.shape == (2, 2, 3, 3, 3)
    assert stacked.probs.shape == (2, 3, tokenizer.vocab_size)
    assert stacked.samples.shape == (2, SAMPLE_LENGTH)
    assert (stacked.maps[0] == stacked.maps[1]).all()
    assert stacked.surprisal_without.shape == (2, 2, 3, 2)
    without = dataclasses.replace(snapshots[0], surprisal_without=None)  # of an older state
    assert stack([without, snapshots[1]], passage).surprisal_without is None


def test_a_run_records_losses_at_every_snapshot(trained_checkpoint):
    loaded = checkpoint.load(trained_checkpoint)
    assert loaded.snapshots.steps.tolist() == snapshot_steps(STEPS)
    rows = {row.step: row for row in loaded.loss_record}
    for step in snapshot_steps(STEPS):
        assert rows[step].train_loss is not None
        assert rows[step].val_loss is not None


def test_the_last_snapshot_of_a_run_is_of_the_saved_model(trained_checkpoint):
    loaded = checkpoint.load(trained_checkpoint)
    snapshots = loaded.snapshots
    expected = attention_maps(loaded.model, snapshots.passage.tolist())
    maps = (255 * expected.weights).round().to(torch.int64)
    assert (torch.from_numpy(snapshots.maps[-1].astype("int64")) - maps).abs().max() <= 1
    probs = torch.tensor(snapshots.probs[-1]).float()
    torch.testing.assert_close(probs, expected.logits.softmax(dim=-1), rtol=1e-2, atol=1e-4)
    assert (snapshots.maps[0] != snapshots.maps[-1]).any(), "training changed the attention"
    assert (snapshots.samples[0] != snapshots.samples[-1]).any()


def test_a_run_keeps_the_weights_of_every_snapshot(trained_checkpoint):
    folder = RunFolder(trained_checkpoint).snapshots
    snapshots = checkpoint.load(trained_checkpoint).snapshots
    files = [weights_file(folder, step) for step in snapshots.steps.tolist()]
    assert sorted(folder.iterdir()) == files
    assert load_file(files[-1]).keys() == load_file(trained_checkpoint / checkpoint.WEIGHTS).keys()
    for name, tensor in load_file(trained_checkpoint / checkpoint.WEIGHTS).items():
        assert load_file(files[-1])[name].equal(tensor)
    loaded = checkpoint.load(trained_checkpoint)
    for index, file in enumerate(files):
        loaded.model.load_state_dict(load_file(file))
        maps = attention_maps(loaded.model, snapshots.passage.tolist()).weights
        assert (torch.tensor(snapshots.maps[index]) / 255 - maps).abs().max() < 2 / 255


def test_the_folder_of_the_weights_may_be_named_by_a_string(trained_checkpoint):
    loaded = checkpoint.load(str(trained_checkpoint))
    folder = str(RunFolder(str(trained_checkpoint)).snapshots)
    assert recompute(loaded, folder).to_npz() == loaded.snapshots.to_npz()


def test_a_resumed_run_keeps_the_snapshots_nearest_to_its_schedule():
    taken = [Snapshot(step, *torch.zeros(3, 1)) for step in snapshot_steps(1000)]
    assert nearest(taken, snapshot_steps(1000), 1000) == taken
    kept = nearest(taken, snapshot_steps(2000), 1000)
    assert [snapshot.step for snapshot in kept] == [0, 6, 53, 95, 210, 290, 380, 590, 720, 1000]
    assert nearest([], snapshot_steps(2000), 0) == []


def test_a_run_that_is_trained_longer_many_times_has_few_snapshots():
    taken, done = [], 0
    for steps in range(50, 5000, 150):
        taken = nearest(taken, snapshot_steps(steps), done)
        new = [step for step in snapshot_steps(steps) if step > done or not taken]
        taken += [Snapshot(step, *torch.zeros(3, 1)) for step in new]
        done = steps
        assert [each.step for each in taken] == sorted({each.step for each in taken})
        assert len(taken) <= TrainConfig.snapshot_count
