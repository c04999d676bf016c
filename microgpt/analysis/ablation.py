"""Head ablation: a model's predictions without some of its heads (Michel et al., 2019)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from microgpt.config import GPTConfig
from microgpt.model import GPT, finite


@dataclass(frozen=True)
class AblationEffect:
    """How the predictions over a text change when some heads are ablated.

    loss_change: change of the loss over the text, nats per character; negative if the text is
    predicted better without the heads, None for a text of one character. kl_divergence: mean
    over all positions of the KL divergence between the predictions with and without the heads,
    nats. next_kl_divergence: the KL divergence at the last position only.
    """

    loss_change: float | None
    kl_divergence: float
    next_kl_divergence: float


def ablation_effect(ids: Sequence[int], whole: Tensor, ablated: Tensor) -> AblationEffect:
    """Compare the logits (T, V) of the whole model with those of the ablated model, over T ids."""
    p, q = whole.double().log_softmax(dim=-1), ablated.double().log_softmax(dim=-1)
    divergences = F.kl_div(q, p, reduction="none", log_target=True).sum(dim=-1).clamp_min(0)  # (T,)
    change = None
    if len(ids) > 1:
        targets = torch.tensor(ids[1:], device=p.device)
        change = (F.nll_loss(q[:-1], targets) - F.nll_loss(p[:-1], targets)).item()
    return AblationEffect(change, divergences.mean().item(), divergences[-1].item())


def head_mask(config: GPTConfig, ablated: Iterable[tuple[int, int]]) -> Tensor:
    """A head_mask (L, H) for the model: 0 for the ablated heads, 1 for the others.

    ablated: pairs of layer and head, from 0. Raises IndexError for a head that does not exist.
    """
    mask = torch.ones(config.n_layer, config.n_head)
    for layer, head in ablated:
        mask[layer, head] = 0.0
    return mask


@torch.inference_mode()
def ablated_logits(model: GPT, ids: Sequence[int], ablated: Iterable[tuple[int, int]]) -> Tensor:
    """Logits (T, V) of a model in eval mode over T ids; ablated: as for head_mask."""
    idx = torch.tensor([ids])
    return finite(model(idx, head_mask=head_mask(model.config, ablated))[0])


@torch.inference_mode()
def ablate_each_head(model: GPT, ids: Sequence[int]) -> Iterator[tuple[int, int, AblationEffect]]:
    """Ablate one head at a time; yield its layer, its head number and the effect.

    The model must be in eval mode. Raises ValueError unless there are 1 to block_size ids.
    """
    # The layers below a head are computed once. A batch of all heads of a layer would halve the
    # time for 20 characters, which is already short, and would save nothing for 256 characters.
    idx = torch.tensor([ids], device=model.head.weight.device)  # (1, T)
    x = model.embed(idx)  # (1, T, C)
    whole = finite(model(idx)[0])  # (T, V)
    for layer, block in enumerate(model.blocks):
        for head in range(model.config.n_head):
            mask = torch.ones(model.config.n_head, device=x.device)
            mask[head] = 0
            y = block(x, head_mask=mask)
            for later in model.blocks[layer + 1 :]:
                y = later(y)
            yield layer, head, ablation_effect(ids, whole, finite(model.unembed(y)[0]))
        x = block(x)


def mean_loss_changes(
    model: GPT, texts: Tensor, progress: Callable[[], object] = lambda: None
) -> Tensor:
    """Change of the loss when one head is ablated, for each head: (L, H), nats per character.

    It is the mean over texts (N, T), T >= 2. The model must be in eval mode. progress is
    called after each head of each text.
    """
    sums = torch.zeros(model.config.n_layer, model.config.n_head, dtype=torch.float64)
    for ids in texts.tolist():
        for layer, head, found in ablate_each_head(model, ids):
            assert found.loss_change is not None  # there are two ids or more
            sums[layer, head] += found.loss_change
            progress()
    return (sums / len(texts)).float()
