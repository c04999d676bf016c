import pytest
import torch

from microgpt.analysis.logit_lens import LogitLens, logit_lens, point_probs
from microgpt.analysis.residuals import residual_stream
from microgpt.config import GPTConfig
from microgpt.model import ModelOverflowError
from tests.models import random_model

IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]


def test_a_layer_is_read_as_by_a_model_that_ends_after_it(model_variant):
    """The rows of the layers are the predictions of the model without its later blocks."""
    stream = residual_stream(model_variant, IDS)
    lens = logit_lens(model_variant, stream.points)
    final = stream.logits.double().softmax(dim=-1)
    blocks = model_variant.blocks
    for layers in range(len(blocks) + 1):
        model_variant.blocks = blocks[:layers]
        probs = model_variant(torch.tensor([IDS]))[0].double().softmax(dim=-1)
        divergences = (final * (final / probs).log()).sum(dim=-1)
        shown = lens.per_layer()
        assert shown.likeliest[layers].tolist() == probs.argmax(dim=-1).tolist()
        torch.testing.assert_close(shown.probs[layers], probs.amax(dim=-1), rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(shown.divergences[layers], divergences, rtol=1e-4, atol=1e-6)
        read = point_probs(model_variant, stream.points[2 * layers, 4])
        torch.testing.assert_close(read, probs[4], rtol=1e-4, atol=1e-6)
    assert len(shown.probs) == len(blocks) + 1 and len(lens.probs) == 2 * len(blocks) + 1


def test_the_last_point_is_the_final_prediction(model_variant):
    stream = residual_stream(model_variant, IDS)
    lens = logit_lens(model_variant, stream.points)
    probs = stream.logits.double().softmax(dim=-1)
    torch.testing.assert_close(lens.probs[-1], probs.amax(dim=-1), rtol=1e-4, atol=1e-6)
    assert not lens.divergences[-1].any() and lens.divergences[:-1].any()


def test_a_point_after_the_attention_is_read_without_the_mlp(model):
    """The model whose last MLP writes nothing ends with the point before that MLP."""
    lens = logit_lens(model, residual_stream(model, IDS).points)
    muted = random_model(model.config, seed=0)
    for parameter in muted.blocks[-1].mlp.down.parameters():
        parameter.zero_()
    probs = muted(torch.tensor([IDS]))[0].double().softmax(dim=-1)
    torch.testing.assert_close(lens.probs[-2], probs.amax(dim=-1))


def test_the_changes_of_the_likeliest_character_and_the_agreement():
    likeliest = torch.tensor([[7, 2], [7, 3], [4, 2], [7, 2], [7, 2]])
    lens = LogitLens(likeliest, torch.ones(5, 2), torch.arange(10.0).view(5, 2).flip(0))
    assert lens.changes(0) == [0, 2, 3] and lens.changes(1) == [0, 1, 2]
    assert lens.agreement.tolist() == [1, 0.5, 0.5, 1, 1]
    assert lens.mean_divergence.tolist() == [8.5, 6.5, 4.5, 2.5, 0.5]
    assert lens.per_layer().changes(0) == [0, 1, 2]


def test_logits_that_overflow_are_an_error():
    model = random_model(GPTConfig(vocab_size=5, block_size=4, n_layer=1, n_head=1, n_embd=8), 0)
    with pytest.raises(ModelOverflowError):
        logit_lens(model, torch.full((3, 2, 8), float("inf")))
