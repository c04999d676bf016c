import pytest
import torch

from microgpt.analysis import ablation
from microgpt.analysis.ablation import (
    ablate_each_head,
    ablated_logits,
    ablation_effect,
    head_mask,
    surprisal_without_each_head,
)
from microgpt.analysis.attention import attention_maps

IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]


def losses(logits: torch.Tensor) -> torch.Tensor:
    return -logits.double().log_softmax(dim=-1)


def test_ablation_equals_setting_the_output_weights_of_a_head_to_zero(model_variant):
    config = model_variant.config
    size = config.n_embd // config.n_head
    whole = losses(model_variant(torch.tensor([IDS]))[0])
    heads = []
    for layer, head, effect in ablate_each_head(model_variant, IDS):
        heads.append((layer, head))
        proj = model_variant.blocks[layer].attention.proj.weight
        original = proj.clone()
        proj[:, head * size : (head + 1) * size] = 0
        without = losses(model_variant(torch.tensor([IDS]))[0])
        proj.copy_(original)
        targets = torch.tensor(IDS[1:])[:, None]
        change = (without - whole)[:-1].gather(-1, targets).mean().item()
        divergence = ((without - whole) * whole.neg().exp()).sum(dim=-1)
        assert effect.loss_change == pytest.approx(change, abs=1e-5)
        assert effect.kl_divergence == pytest.approx(divergence.mean().item(), abs=1e-5)
        assert effect.next_kl_divergence == pytest.approx(divergence[-1].item(), abs=1e-5)
    assert heads == [(n, h) for n in range(config.n_layer) for h in range(config.n_head)]


def test_ablating_each_head_equals_separate_runs_with_a_mask(model):
    whole = model(torch.tensor([IDS]))[0]
    for layer, head, effect in ablate_each_head(model, IDS):
        mask = torch.ones(2, 3)
        mask[layer, head] = 0
        expected = ablation_effect(IDS, whole, model(torch.tensor([IDS]), head_mask=mask)[0])
        for name, value in vars(expected).items():
            assert getattr(effect, name) == pytest.approx(value, abs=1e-5), name


def test_the_surprisal_without_each_head_is_that_of_the_ablated_model(model):
    surprisal = surprisal_without_each_head(model, IDS)
    assert surprisal.shape == (2, 3, len(IDS) - 1)
    for layer in range(2):
        for head in range(3):
            without = losses(ablated_logits(model, IDS, [(layer, head)]))
            expected = without[torch.arange(len(IDS) - 1), IDS[1:]]
            torch.testing.assert_close(surprisal[layer, head], expected, rtol=1e-4, atol=1e-5)


def test_the_mean_surprisal_without_a_head_is_its_effect_on_the_loss(model):
    surprisal = surprisal_without_each_head(model, IDS)
    whole = losses(model(torch.tensor([IDS]))[0])[torch.arange(len(IDS) - 1), IDS[1:]].mean()
    for layer, head, effect in ablate_each_head(model, IDS):
        change = (surprisal[layer, head].mean() - whole).item()
        assert effect.loss_change == pytest.approx(change, abs=1e-5)


def test_a_text_of_one_character_has_no_surprisal(model):
    assert surprisal_without_each_head(model, [0]).shape == (2, 3, 0)


def test_a_head_is_ablated_only_when_it_is_requested(model, monkeypatch):
    """Of a long text; the heads of a short one are ablated together."""
    monkeypatch.setattr(ablation, "_POSITIONS_AT_ONCE", len(IDS))
    calls = []
    handle = model.blocks[-1].register_forward_hook(lambda *_: calls.append(1))
    try:
        effects = ablate_each_head(model, IDS)
        counts = []
        for _ in range(3):
            next(effects)
            counts.append(len(calls))
    finally:
        handle.remove()
    assert counts == [2, 3, 4], "once for the whole model, then once for each head"


def test_equal_predictions_have_no_effect():
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    assert vars(ablation_effect([1, 2, 3, 4, 5], logits, logits + 2)) == pytest.approx(
        {"loss_change": 0, "kl_divergence": 0, "next_kl_divergence": 0}, abs=1e-6
    )


def test_the_effect_equals_a_computation_by_hand():
    whole = torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log()
    without = torch.tensor([[0.5, 0.5], [0.5, 0.5]]).log()
    effect = ablation_effect([0, 1], whole, without)
    divergence = torch.tensor(0.9) * torch.tensor(1.8).log() + 0.1 * torch.tensor(0.2).log()
    assert effect.next_kl_divergence == pytest.approx(divergence.item(), abs=1e-6)
    assert effect.kl_divergence == pytest.approx(divergence.item() / 2, abs=1e-6)
    assert effect.loss_change == pytest.approx(0, abs=1e-6), "the last position has no target"
    better = ablation_effect([0, 0], without, torch.tensor([[0.8, 0.2], [0.5, 0.5]]).log())
    assert better.loss_change == pytest.approx(-torch.tensor(1.6).log().item(), abs=1e-6)


def test_a_text_of_one_character_has_no_loss_change(model):
    for _, _, effect in ablate_each_head(model, [0]):
        assert effect.loss_change is None
        assert effect.kl_divergence == effect.next_kl_divergence


@pytest.mark.parametrize(
    ("ids", "message"), [([], "no token"), ([0] * 17, "17 positions do not fit")]
)
def test_an_empty_or_too_long_text_is_refused(model, ids, message):
    with pytest.raises(ValueError, match=message):
        next(ablate_each_head(model, ids))


def test_both_heads_of_an_induction_model_matter(induction_model):
    ids = [2, 3, 1, 0, 2, 3, 1, 0, 2, 3, 1, 0]
    logits = attention_maps(induction_model, ids).logits
    assert logits.argmax(dim=-1)[4:-1].tolist() == ids[5:]
    effects = [effect for _, _, effect in ablate_each_head(induction_model, ids)]
    assert len(effects) == 2
    assert all(e.loss_change > 0.1 and e.next_kl_divergence > 0.8 for e in effects)


def test_a_head_mask_is_zero_at_the_ablated_heads(model):
    assert head_mask(model.config, [(0, 2), (1, 0)]).tolist() == [[1, 1, 0], [0, 1, 1]]
    with pytest.raises(IndexError):
        head_mask(model.config, [(2, 0)])


def test_ablated_logits_are_those_of_the_masked_model(model):
    heads = [(0, 1), (1, 2)]
    masked = model(torch.tensor([IDS]), head_mask=head_mask(model.config, heads))[0]
    torch.testing.assert_close(ablated_logits(model, IDS, heads), masked)
    assert not torch.equal(masked, model(torch.tensor([IDS]))[0])
