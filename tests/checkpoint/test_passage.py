"""The text that a checkpoint gives as an example of its corpus."""

import torch

from microgpt import checkpoint
from microgpt.analysis.baselines import Baselines
from microgpt.analysis.context_length import context_losses
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer


def made(characters, training, probs=None):
    """A checkpoint with this vocabulary, and with baselines if `probs` gives the frequencies."""
    model = GPT(GPTConfig(len(characters), block_size=4, n_layer=1, n_head=1, n_embd=4))
    found = None
    if probs is not None:
        unigram = torch.tensor(probs).log()
        bigram = torch.full((len(probs), len(probs)), 1 / len(probs)).log()
        found = Baselines(unigram, bigram, {})
    return Checkpoint(model, CharTokenizer(characters), [], training, baselines=found)


def test_it_is_the_passage_of_the_snapshots(checkpoint_with_snapshots):
    assert checkpoint.load(checkpoint_with_snapshots).passage == "Ba do\nke limu."


def test_without_snapshots_it_is_the_text_of_the_context_losses(checkpoint_copy):
    loaded = checkpoint.load(checkpoint_copy)
    ids = loaded.tokenizer.encode("ba do ke li mu.")
    losses = context_losses(loaded.model, ids)
    checkpoint.add_context_losses(checkpoint_copy, losses, loaded.config)
    assert checkpoint.load(checkpoint_copy).passage == "ba do ke li mu."


def test_without_snapshots_it_repeats_the_most_frequent_characters(training):
    assert made("ACGT", training, [0.2, 0.1, 0.4, 0.3]).passage == 18 * "GTAC"
    many = "".join(map(chr, range(0x4E00, 0x4E00 + 900)))
    rising = [2 * (i + 1) / (900 * 901) for i in range(900)]
    assert made(many, training, rising).passage == 3 * many[:-25:-1]


def test_without_baselines_it_repeats_the_first_characters(training):
    assert made("ACGT", training).passage == 18 * "ACGT"
