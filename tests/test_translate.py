import pytest
import torch

from microgpt.pairs import END, START, SourceError
from microgpt.translate import translate, translate_all
from tests.pair_models import CONFIG, TOKENIZER, random_pair_model

TEXTS = ["1 May 2034", "3", "2 July", "The 1 July 2999"]


def greedily(model, text: str) -> str:
    """Translate by running the whole model again for each character."""
    source = torch.tensor([TOKENIZER.encode(text)])
    output = ""
    while len(output) < CONFIG.block_size:
        logits = model(source, torch.tensor([TOKENIZER.encode(START + output)]))
        char = TOKENIZER.decode([int(logits[0, -1].argmax())])
        if char == END:
            break
        output += char
    return output


@pytest.mark.parametrize("seed", range(4))
def test_each_character_is_the_likeliest_one(seed):
    model = random_pair_model(seed)
    expected = [greedily(model, text) for text in TEXTS]
    found = ["".join(each.text for each in translate(model, TOKENIZER, text)) for text in TEXTS]
    assert found == expected
    assert translate_all(model, TOKENIZER, TEXTS) == expected


def test_characters_come_with_their_logits():
    model = random_pair_model(1)
    for character in translate(model, TOKENIZER, "1 May"):
        assert character.logits.shape == (CONFIG.vocab_size,)
        assert int(character.logits.argmax()) == character.token


def test_a_translation_ends_where_the_model_writes_its_end_or_the_decoder_is_full():
    model = random_pair_model()
    model.head.weight.zero_()
    model.head.bias.zero_()
    model.head.bias[TOKENIZER.encode("7")[0]] = 1
    assert translate_all(model, TOKENIZER, TEXTS) == ["7" * CONFIG.block_size] * len(TEXTS)
    model.head.bias[TOKENIZER.encode(END)[0]] = 2
    assert translate_all(model, TOKENIZER, TEXTS) == [""] * len(TEXTS)


def test_cross_heads_can_be_switched_off():
    model = random_pair_model(0)
    mask = torch.zeros(CONFIG.n_layer, CONFIG.n_head)
    outputs = translate_all(model, TOKENIZER, TEXTS, cross_head_mask=mask)
    assert len(set(outputs)) == 1  # without cross-attention, nothing depends on the source
    assert len(set(translate_all(model, TOKENIZER, TEXTS))) > 1


def test_a_bad_text_is_refused_before_anything_is_computed():
    with pytest.raises(SourceError, match="empty"):
        next(translate(random_pair_model(), TOKENIZER, ""))
