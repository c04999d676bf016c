from itertools import islice

import pytest
import torch

from microgpt.engine import KEPT, Decoder
from microgpt.generate import generate, start_ids
from microgpt.sampling import SamplingConfig, next_token_probs
from microgpt.tokenizer import CharTokenizer, UnknownCharacterError

GREEDY = SamplingConfig(temperature=0)


def stream(model, tokenizer, prompt, length, config):
    ids = start_ids(tokenizer, prompt)
    return generate(Decoder(model), tokenizer, ids, length, config)


def write(model, tokenizer, prompt, length, config):
    return "".join(c.text for c in stream(model, tokenizer, prompt, length, config))


def test_the_seed_determines_the_text(model, tokenizer):
    config = SamplingConfig(temperature=1.0, seed=5)
    first = write(model, tokenizer, tokenizer.characters[:3], 60, config)
    torch.manual_seed(99)
    assert write(model, tokenizer, tokenizer.characters[:3], 60, config) == first
    other = write(model, tokenizer, tokenizer.characters[:3], 60, SamplingConfig(1.0, seed=6))
    assert other != first


def test_greedy_text_is_the_argmax_of_the_uncached_model(model, tokenizer):
    prompt = tokenizer.characters[:4]
    ids = tokenizer.encode(prompt)
    length = model.config.block_size - len(ids)
    for character in stream(model, tokenizer, prompt, length, GREEDY):
        expected = model(torch.tensor([ids]))[0, -1]
        torch.testing.assert_close(character.logits, expected, atol=1e-4, rtol=0)
        assert character.token == int(expected.argmax())
        assert character.text == tokenizer.decode([character.token])
        ids.append(character.token)


def test_top_k_of_1_is_greedy(model, tokenizer):
    prompt = tokenizer.characters[:2]
    config = SamplingConfig(temperature=1.5, top_k=1, seed=3)
    assert write(model, tokenizer, prompt, 20, config) == write(
        model, tokenizer, prompt, 20, GREEDY
    )


@pytest.mark.parametrize(("exact", "kept"), [(False, KEPT), (True, 1)])
def test_past_the_window_a_part_of_it_is_read_again(model, tokenizer, exact, kept):
    config = SamplingConfig(temperature=0, exact=exact)
    window = model.config.block_size
    ids = tokenizer.encode((tokenizer.characters * window)[: window - 2])
    length = len(ids)  # of the context
    for record in generate(Decoder(model), tokenizer, ids, 3 * window, config):
        expected = model(torch.tensor([ids[-length:]]))[0, -1]
        torch.testing.assert_close(record.logits, expected, atol=1e-4, rtol=0)
        ids.append(record.token)
        length = length + 1 if length < window else round(kept * window)


def test_a_text_longer_than_the_window_is_cut_to_its_end(model, tokenizer):
    window = model.config.block_size
    prompt = (tokenizer.characters * window)[: 3 * window]
    config = SamplingConfig(seed=2)
    expected = write(model, tokenizer, prompt[-window:], 10, config)
    assert write(model, tokenizer, prompt, 10, config) == expected


def test_generation_continues_from_any_ids_without_changing_them(model, tokenizer):
    ids = tokenizer.encode(tokenizer.characters[:3])
    whole = list(generate(Decoder(model), tokenizer, ids, 6, GREEDY))
    assert ids == tokenizer.encode(tokenizer.characters[:3])
    start = ids + [character.token for character in whole[:4]]
    rest = list(generate(Decoder(model), tokenizer, start, 2, GREEDY))
    assert [c.token for c in rest] == [c.token for c in whole[4:]]


def test_an_empty_prompt_starts_with_a_newline(tokenizer):
    assert start_ids(tokenizer, "") == tokenizer.encode("\n")
    assert start_ids(CharTokenizer.from_text("ba"), "") == [0]


def test_an_unknown_character_is_named(tokenizer):
    with pytest.raises(UnknownCharacterError, match="'€'"):
        start_ids(tokenizer, tokenizer.characters[0] + "€")


def test_a_character_is_computed_only_when_it_is_requested(model, tokenizer):
    calls = []
    handle = model.register_forward_hook(lambda *_: calls.append(1))
    try:
        list(islice(stream(model, tokenizer, "\n", 1000, GREEDY), 3))
    finally:
        handle.remove()
    assert len(calls) == 3


def test_each_character_was_possible_under_its_logits(model, tokenizer):
    config = SamplingConfig(temperature=0.7, top_k=3, seed=8)
    for record in stream(model, tokenizer, "\n", 30, config):
        assert next_token_probs(record.logits, config)[record.token] > 0


@pytest.mark.parametrize("exact", [False, True])
def test_a_text_that_goes_on_is_the_text_without_a_stop(model, tokenizer, exact):
    config = SamplingConfig(temperature=1.0, seed=5, exact=exact)
    length = 3 * model.config.block_size
    prompt = start_ids(tokenizer, tokenizer.characters[:3])
    whole = [c.token for c in generate(Decoder(model), tokenizer, prompt, length, config)]
    for drawn in range(length):
        ids = [*prompt, *whole[:drawn]]
        rest = generate(Decoder(model), tokenizer, ids, 4, config, drawn)
        assert [c.token for c in rest][: length - drawn] == whole[drawn : drawn + 4]
