import math

import pytest
import torch

from microgpt.analysis.loss import full_loss, sampled_loss, text_loss


def expected_loss(model, data):
    """The mean loss over every whole window, computed one character at a time."""
    size, losses = model.config.block_size, []
    for at in range(0, len(data) - size, size):
        probs = model(data[None, at : at + size])[0].double().softmax(-1)
        losses += [-math.log(probs[t, data[at + t + 1]].item()) for t in range(size)]
    return sum(losses) / len(losses)


@pytest.mark.parametrize("length", [17, 16 * 5, 16 * 5 + 1, 16 * 5 + 9])
@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_full_loss_covers_every_window_once(model, tokenizer, corpus, length, batch_size):
    data = torch.tensor(tokenizer.encode(corpus[:length]))
    assert full_loss(model, data, batch_size) == pytest.approx(expected_loss(model, data), abs=1e-5)


def test_progress_ends_with_all_windows(model, tokenizer, corpus):
    data = torch.tensor(tokenizer.encode(corpus[:100]))
    calls = []
    full_loss(model, data, 4, lambda done, total: calls.append((done, total)))
    assert calls == [(4, 6), (6, 6)]


def test_the_generator_determines_the_sampled_loss(model, tokenizer, corpus):
    data = torch.tensor(tokenizer.encode(corpus))
    losses = [
        sampled_loss(model, data, 2, 16, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_the_sampled_loss_estimates_the_full_loss(model, tokenizer, corpus):
    data = torch.tensor(tokenizer.encode(corpus))
    loss = sampled_loss(model, data, 40, 16, torch.Generator().manual_seed(0))
    assert loss == pytest.approx(full_loss(model, data), rel=0.05)


@pytest.mark.parametrize("length", [2, 9, 17, 18, 33, 100])
def test_the_loss_of_a_text_equals_a_computation_by_hand(model, tokenizer, corpus, length):
    data = torch.tensor(tokenizer.encode(corpus[:length]))
    calls = []
    total = 0.0
    for at in range(1, length):
        window = data[max(0, (at - 17) // 8 + 1) * 8 : at]
        total -= model(window[None])[0, -1].log_softmax(-1)[data[at]].item()
    loss = text_loss(model, data, lambda *call: calls.append(call))
    assert text_loss(model, data.tolist()) == loss
    assert loss == pytest.approx(total / (length - 1), abs=1e-4)
    assert calls[-1] == (length - 1, length - 1)


def test_a_text_of_one_character_has_no_loss(model):
    with pytest.raises(ValueError, match="two characters"):
        text_loss(model, torch.tensor([0]))
