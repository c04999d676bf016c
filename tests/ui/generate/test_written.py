import torch

from microgpt import checkpoint
from microgpt.generate import GeneratedCharacter
from microgpt.sampling import SamplingConfig
from microgpt.ui.generate.written import Written


def test_a_text_that_is_over_grows_no_more(tiny_checkpoint):
    loaded = checkpoint.load(tiny_checkpoint)
    written = Written.begin(loaded, "ba", 5, SamplingConfig())
    character = GeneratedCharacter("x", 3, torch.rand(loaded.config.vocab_size))
    written.add(character)
    written.end()
    written.add(character)
    assert written.over
    assert written.predictions.tokens.tolist() == [3]
    assert torch.equal(written.predictions.logits, character.logits[None])
