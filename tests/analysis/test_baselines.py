import json
import math
import tracemalloc
from collections import Counter

import pytest
import torch

from microgpt.analysis import baselines
from microgpt.analysis.baselines import LEAST, MAX_BIGRAM, NAMES, Baselines, BaselinesError, fit
from microgpt.data import Splits, split

# Two characters: the second is three times as common, and they mostly alternate.
SMALL = Baselines(
    unigram=torch.tensor([0.25, 0.75]).log(),
    bigram=torch.tensor([[0.1, 0.9], [0.8, 0.2]]).log(),
    val_loss={"uniform": 0.6931, "unigram": 0.5, "bigram": 0.25},
)
VALID = json.loads(SMALL.to_json())
REQUIRED = ("unigram", "bigram", "val_loss")


@pytest.fixture(scope="module")
def splits(corpus, tokenizer) -> Splits:
    return split(tokenizer.encode(corpus), block_size=16)


@pytest.fixture(scope="module")
def fitted(splits, tokenizer) -> Baselines:
    """The baselines of the corpus."""
    return fit(splits, tokenizer.vocab_size, seed=0)


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train the bigram table for 50 steps only."""
    monkeypatch.setattr(baselines, "BIGRAM_STEPS", 50)


def changed(**values) -> str:
    """A valid file with some of its values replaced."""
    return json.dumps(VALID | values)


def test_written_baselines_are_read_back_with_four_decimals(fitted, tokenizer):
    text = fitted.to_json()
    again = Baselines.from_json(text, tokenizer.vocab_size)
    for name in ("unigram", "bigram"):
        table = getattr(again, name)
        assert table.dtype == torch.float32
        torch.testing.assert_close(table, getattr(fitted, name), rtol=0, atol=0.51e-4)
    assert again.val_loss == {name: round(fitted.val_loss[name], 4) for name in NAMES}
    assert again.to_json() == text


def test_the_file_is_one_line_of_json():
    text = SMALL.to_json()
    assert text.endswith("}\n") and text.count("\n") == 1
    assert list(json.loads(text)) == ["format", "unigram", "bigram", "val_loss"]
    assert json.loads(text)["unigram"] == [-1.3863, -0.2877]
    assert json.loads(text)["bigram"] == [[-2.3026, -0.1054], [-0.2231, -1.6094]]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        '{"unigram": [',
        "[" * 100_000,
        "null",
        "3",
        '"text"',
        "[]",
        "{}",
        *(json.dumps({key: VALID[key] for key in VALID if key != name}) for name in REQUIRED),
        changed(unigram=None),
        changed(unigram=3),
        changed(unigram="ab"),
        changed(unigram=["a", "b"]),
        changed(unigram={"a": -1.0}),
        changed(unigram=[None, -1.0]),
        changed(unigram=[-1.0, [-1.0]]),
        changed(unigram=[[-1.0], -1.0]),
        changed(unigram=[]),
        changed(unigram=[-1.0, math.nan]),
        changed(unigram=[-1.0, -math.inf]),
        changed(unigram=[-1.0, -1e300]),
        changed(unigram=[-1.0, -(10**400)]),
        changed(unigram=[-1.0, 0.5]),
        changed(bigram=[-1.0, -1.0]),
        changed(bigram=[[-1.0, -1.0]]),
        changed(bigram=[[-1.0, -1.0], [-1.0]]),
        changed(bigram=[[], []]),
        changed(bigram=[[-1.0, -1.0], [-1.0, math.nan]]),
        changed(bigram=[[0.0, -1e38], [0.0, -1e38]]),
        changed(unigram=[0.0, 2 * LEAST]),
        changed(bigram=[[-1.0, -1.0], [-1.0, 2.0]]),
        changed(val_loss=None),
        changed(val_loss=[1.0, 1.0, 1.0]),
        changed(val_loss={"uniform": 1.0, "unigram": 1.0}),
        changed(val_loss=VALID["val_loss"] | {"bigram": None}),
        changed(val_loss=VALID["val_loss"] | {"bigram": []}),
        changed(val_loss=VALID["val_loss"] | {"bigram": "low"}),
        changed(val_loss=VALID["val_loss"] | {"bigram": -0.5}),
        changed(val_loss=VALID["val_loss"] | {"bigram": math.nan}),
        changed(val_loss=VALID["val_loss"] | {"bigram": math.inf}),
        changed(val_loss=VALID["val_loss"] | {"bigram": 10**400}),
    ],
    ids=lambda text: text[-40:],
)
def test_a_malformed_file_is_refused(text):
    with pytest.raises(BaselinesError, match="baselines") as caught:
        Baselines.from_json(text, 2)
    assert len(str(caught.value)) < 100


def test_the_losses_of_any_table_in_a_file_are_finite():
    extreme = changed(unigram=[0.0, LEAST], bigram=[[0.0, LEAST], [0.0, LEAST]])
    losses = Baselines.from_json(extreme, 2).losses([1] * 100_000)
    assert all(map(math.isfinite, losses.values()))


@pytest.mark.parametrize("vocab_size", [0, 1, 3, 1024])
def test_a_vocabulary_of_another_size_is_refused(vocab_size):
    assert Baselines.from_json(SMALL.to_json(), 2).val_loss == SMALL.val_loss
    with pytest.raises(BaselinesError, match="the checkpoint's baselines"):
        Baselines.from_json(SMALL.to_json(), vocab_size)


def test_a_large_vocabulary_has_no_bigram():
    size = MAX_BIGRAM + 1
    ids = torch.arange(2 * size) % size
    made = fit(Splits(ids, ids), size, seed=0)
    assert made.bigram is None and made.val_loss.keys() == {"uniform", "unigram"}
    assert made.losses([0, 1, 2]).keys() == {"uniform", "unigram"}
    read = Baselines.from_json(made.to_json(), size)
    assert read.bigram is None
    torch.testing.assert_close(read.unigram, made.unigram, atol=1e-4, rtol=0)


@pytest.mark.parametrize("bigram", [[-0.1], [[-0.1]]], ids=str)
def test_a_bigram_of_a_large_vocabulary_is_refused(bigram):
    size = MAX_BIGRAM + 1
    values = {
        "unigram": [-math.log(size)] * size,
        "bigram": bigram,
        "val_loss": dict.fromkeys(NAMES, 1.0),
    }
    with pytest.raises(BaselinesError, match="do not fit its vocabulary"):
        Baselines.from_json(json.dumps(values), size)


def test_the_unigram_uses_add_one_smoothing(fitted, splits, tokenizer):
    size = tokenizer.vocab_size
    counts = Counter(splits.train.tolist())
    total = len(splits.train) + size
    expected = [math.log((counts[token] + 1) / total) for token in range(size)]
    assert fitted.unigram.tolist() == pytest.approx(expected, abs=1e-5)


def test_a_character_outside_the_training_split_is_possible(few_steps):
    ids = torch.tensor([0, 1, 1] * 40)
    baselines = fit(Splits(ids[:100], ids[100:]), 4, seed=0)
    assert baselines.unigram.exp()[3].item() == pytest.approx(1 / 104)
    assert baselines.bigram.isfinite().all()


def test_every_row_is_a_distribution(fitted, tokenizer):
    size = tokenizer.vocab_size
    assert fitted.unigram.shape == (size,) and fitted.bigram.shape == (size, size)
    rows = torch.cat([fitted.unigram[None], fitted.bigram])
    torch.testing.assert_close(rows.exp().sum(dim=-1), torch.ones(size + 1))
    assert (rows <= 0).all()
    assert not rows.requires_grad


def test_a_better_baseline_has_a_lower_validation_loss(fitted, tokenizer):
    loss = fitted.val_loss
    assert tuple(loss) == NAMES
    assert loss["bigram"] < loss["unigram"] < loss["uniform"]
    assert loss["uniform"] == pytest.approx(math.log(tokenizer.vocab_size))


def test_the_validation_loss_is_over_the_whole_split(fitted, splits):
    assert fitted.val_loss == pytest.approx(fitted.losses(splits.val.tolist()))


def test_the_seed_determines_the_bigram_table(few_steps, splits, tokenizer):
    first, same, other = (fit(splits, tokenizer.vocab_size, seed) for seed in (3, 3, 4))
    assert torch.equal(first.bigram, same.bigram)
    assert first.to_json() == same.to_json()
    assert not torch.equal(first.bigram, other.bigram)
    assert torch.equal(first.unigram, other.unigram)


def test_fitting_does_not_change_the_global_random_state(few_steps, splits, tokenizer):
    before = torch.get_rng_state()
    fit(splits, tokenizer.vocab_size, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_losses_equal_a_computation_by_hand():
    losses = SMALL.losses([0, 1, 1, 0])
    assert losses == pytest.approx(
        {
            "uniform": math.log(2),
            "unigram": -(2 * math.log(0.75) + math.log(0.25)) / 3,
            "bigram": -(math.log(0.9) + math.log(0.2) + math.log(0.8)) / 3,
        },
        abs=1e-6,
    )
    assert SMALL.losses([1, 0])["bigram"] == pytest.approx(-math.log(0.8), abs=1e-6)


@pytest.mark.parametrize("ids", [[], [0]])
def test_a_text_of_fewer_than_two_characters_has_no_loss(ids):
    with pytest.raises(ValueError, match="two characters"):
        SMALL.losses(ids)


def test_the_longest_file_that_a_vocabulary_needs_is_read():
    vocab_size = 40
    rows = torch.full((vocab_size, vocab_size), -25.0)
    rows[:, 0] = 0.0
    long = Baselines(rows[0], rows, dict.fromkeys(NAMES, 12.3456))
    values = json.loads(long.to_json())
    for name in ("unigram", "bigram"):  # as another program may write them
        values[name] = (getattr(long, name).double() * (1 - 1e-15)).tolist()
    assert torch.equal(Baselines.from_json(json.dumps(values), vocab_size).bigram, rows)


@pytest.mark.parametrize("item", ["[]", "1.5", '"xy"', "{}"])
def test_a_file_too_long_for_its_vocabulary_takes_no_memory(item):
    text = ('{"bigram": [' + f"{item}," * 500_000 + "0]}").encode()
    tracemalloc.start()
    with pytest.raises(BaselinesError, match="too large for its vocabulary"):
        Baselines.from_json(text, 65)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000
