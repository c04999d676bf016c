"""The sentences of the tour for models of few layers and heads."""

import dataclasses

import pytest

from microgpt import checkpoint
from microgpt.config import GPTConfig
from microgpt.ui.inside import tour_texts
from tests.models import random_model

TEXT = "ba do"


@pytest.fixture
def smallest(tiny_checkpoint):
    """A checkpoint of one layer with one head."""
    loaded = checkpoint.load(tiny_checkpoint)
    shape = {"n_layer": 1, "n_head": 1, "n_embd": 8, "block_size": 16}
    config = GPTConfig(vocab_size=loaded.config.vocab_size, **shape)
    return dataclasses.replace(loaded, model=random_model(config, 1))


def test_one_layer_and_one_head_are_in_the_singular(smallest):
    assert "goes through 1 layer, which adds" in tour_texts.about_numbers(smallest, TEXT)
    assert "the 1 head and 1 MLP add" in tour_texts.about_why(smallest, TEXT)
    assert "what its only layer changes" in tour_texts.about_lens(smallest, TEXT)


def test_several_are_in_the_plural(tiny_checkpoint):
    loaded = checkpoint.load(tiny_checkpoint)
    assert "2 layers, and each of them adds" in tour_texts.about_numbers(loaded, TEXT)
    assert "6 heads and 2 MLPs" in tour_texts.about_why(loaded, TEXT)
    assert "in which of the 2 layers" in tour_texts.about_lens(loaded, TEXT)
