"""A generated text, without a page."""

import torch

from microgpt import checkpoint
from microgpt.generate import GeneratedCharacter
from microgpt.sampling import SamplingConfig
from microgpt.ui.generate.generated_text import GeneratedText


def test_a_finished_text_ignores_further_characters(tiny_checkpoint):
    loaded = checkpoint.load(tiny_checkpoint)
    text = GeneratedText.empty(loaded, "ba", 5, SamplingConfig())
    character = GeneratedCharacter("x", 3, torch.rand(loaded.config.vocab_size))
    text.add(character)
    assert not text.finished and text.count == 1
    text.finish()
    text.add(character)
    assert text.finished
    assert text.predictions.tokens.tolist() == [3]
    assert torch.equal(text.predictions.logits, character.logits[None])
