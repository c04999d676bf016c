import pytest
import torch

from microgpt.analysis.cross_attention import translation
from microgpt.pairs import END, START
from microgpt.translate import translate_all
from tests.pair_models import CONFIG, TOKENIZER, random_pair_model

TEXT = "1 May 2034"


@pytest.mark.parametrize("seed", range(3))
def test_a_translation_has_a_row_for_each_step_that_wrote_a_character(seed):
    model = random_pair_model(seed)
    found = translation(model, TOKENIZER, TEXT)
    assert [found.output] == translate_all(model, TOKENIZER, [TEXT])
    steps = len(found.output) + found.is_complete
    heads = CONFIG.n_layer, CONFIG.n_head
    assert found.encoder.shape == (*heads, len(TEXT), len(TEXT))
    assert found.decoder.shape == (*heads, steps, steps)
    assert found.cross.shape == (*heads, steps, len(TEXT))
    written = TOKENIZER.decode(found.logits.argmax(dim=-1).tolist())
    assert written == found.output + END * found.is_complete


def test_the_maps_are_those_of_the_model_without_the_masked_heads():
    model = random_pair_model(1)
    mask = torch.ones(CONFIG.n_layer, CONFIG.n_head)
    mask[0, 1] = 0
    found = translation(model, TOKENIZER, TEXT, cross_head_mask=mask)
    read = (START + found.output)[: len(found.logits)]
    logits, maps = model.forward_with_attention(
        torch.tensor([TOKENIZER.encode(TEXT)]),
        torch.tensor([TOKENIZER.encode(read)]),
        cross_head_mask=mask,
    )
    torch.testing.assert_close(found.logits, logits[0])
    torch.testing.assert_close(found.cross, maps.cross[0])


def test_a_translation_that_fills_the_decoder_is_not_complete():
    model = random_pair_model()
    model.head.weight.zero_()
    model.head.bias.zero_()
    model.head.bias[TOKENIZER.encode("7")[0]] = 1
    found = translation(model, TOKENIZER, TEXT)
    assert not found.is_complete and found.output == "7" * CONFIG.block_size
    assert len(found.logits) == CONFIG.block_size
