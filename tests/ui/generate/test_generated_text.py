"""A generated text, without a page."""

import torch

from microgpt import checkpoint
from microgpt.engine import Drawn
from microgpt.sampling import SamplingConfig
from microgpt.ui.generate.generated_text import GeneratedText


def test_a_finished_text_ignores_further_characters(tiny_checkpoint):
    loaded = checkpoint.load(tiny_checkpoint)
    text = GeneratedText.empty(loaded, "ba", 5, SamplingConfig())
    character = Drawn(3, torch.rand(loaded.config.vocab_size))
    text.extend([character])
    assert not text.finished and text.count == 1
    text.finish()
    text.extend([character])
    assert text.finished
    assert text.predictions.tokens.tolist() == [3]
    assert torch.equal(text.predictions.logits, character.logits[None])
