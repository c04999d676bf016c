import dataclasses

import pytest
import torch
import torch.nn.functional as F

from microgpt.analysis.loss import batch_loss
from microgpt.pairs import (
    END,
    NO_TARGET,
    START,
    SourceError,
    encode_pairs,
    source_batch,
    source_ids,
    split_pairs,
    too_small,
)
from microgpt.tokenizer import UnknownCharacterError
from tests.pair_models import CONFIG, TOKENIZER, random_pair_model


def test_sources_are_padded_at_the_end_and_masked():
    source, mask = source_batch(TOKENIZER, [TOKENIZER.encode("12"), TOKENIZER.encode("1 M")])
    end = TOKENIZER.encode(END)[0]
    assert source.tolist() == [[*TOKENIZER.encode("12"), end], TOKENIZER.encode("1 M")]
    assert mask.tolist() == [[True, True, False], [True, True, True]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "empty"),
        ("1" * (CONFIG.source_size + 1), f"has {CONFIG.source_size + 1} .* at most 20"),
        ("1\n2", "tab or a line break"),
        ("1\t2", "tab or a line break"),
    ],
)
def test_a_text_that_cannot_be_a_source_is_refused_in_one_sentence(text, sentence):
    with pytest.raises(SourceError, match=sentence):
        source_ids(TOKENIZER, CONFIG, text)


def test_unknown_characters_are_named():
    with pytest.raises(UnknownCharacterError, match="'ö'"):
        source_ids(TOKENIZER, CONFIG, "1 ö")


LINES = "1 May 2034\t2034-05-01\n3\t12\nJuly\t0\n"


def test_lines_become_padded_ids():
    pairs = encode_pairs(TOKENIZER, LINES)
    assert pairs.lengths.tolist() == [10, 1, 4]
    rows = [TOKENIZER.decode(row[:n]) for row, n in zip(pairs.source, pairs.lengths, strict=True)]
    assert rows == ["1 May 2034", "3", "July"]
    assert TOKENIZER.decode(pairs.source[1].tolist()) == "3" + END * 9
    assert TOKENIZER.decode(pairs.inputs[0].tolist()) == START + "2034-05-01"
    assert TOKENIZER.decode(pairs.targets[0].tolist()) == "2034-05-01" + END
    assert TOKENIZER.decode(pairs.inputs[1].tolist()) == START + "12" + END * 8
    assert pairs.targets[1].tolist() == [*TOKENIZER.encode("12" + END), *[NO_TARGET] * 8]


def test_a_batch_is_as_wide_as_its_longest_source():
    batch = encode_pairs(TOKENIZER, LINES).rows(torch.tensor([1, 2])).batch()
    assert batch.source.shape == batch.source_mask.shape == (2, 4)
    assert batch.source_mask.tolist() == [[True, False, False, False], [True] * 4]
    assert all(each.dtype == torch.int64 for each in (batch.source, batch.inputs, batch.targets))


def test_the_generator_determines_a_random_batch():
    pairs = encode_pairs(TOKENIZER, LINES)
    seeds = (1, 1, 2)
    drawn = [pairs.random_batch(6, torch.Generator().manual_seed(s)).targets for s in seeds]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_held_out_lines_are_in_the_validation_split_only():
    splits = split_pairs(TOKENIZER, LINES, lambda line: line.startswith("3"))
    assert splits.val.lengths.tolist() == [1]
    assert splits.train.lengths.tolist() == [10, 4]


def test_the_loss_of_a_batch_leaves_out_padding():
    model = random_pair_model()
    pairs = encode_pairs(TOKENIZER, LINES)
    losses = []
    for line in LINES.splitlines():
        source, target = line.split(START)
        ids = TOKENIZER.encode(START + target + END)
        source_row = torch.tensor([TOKENIZER.encode(source)])
        logits = model(source_row, torch.tensor([ids[:-1]]))
        losses += F.cross_entropy(logits[0], torch.tensor(ids[1:]), reduction="none").tolist()
    loss = batch_loss(model, *pairs.batch()).item()
    assert loss == pytest.approx(sum(losses) / len(losses), abs=1e-5)


def test_a_model_that_is_too_small_for_the_pairs_is_named():
    pairs = encode_pairs(TOKENIZER, LINES)
    source, target = pairs.source.size(1), pairs.inputs.size(1)
    fits = dataclasses.replace(CONFIG, source_size=source, block_size=target)
    assert too_small(fits, pairs) is None
    for size, needed in (("source_size", source), ("block_size", target)):
        smaller = dataclasses.replace(fits, **{size: needed - 1})
        assert too_small(smaller, pairs) == f"{size} is {needed - 1}, and the pairs need {needed}"
