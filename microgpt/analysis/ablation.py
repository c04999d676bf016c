"""Head ablation: a model's predictions without some of its heads (Michel et al., 2019)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from microgpt.analysis.predictions import of_text
from microgpt.config import GPTConfig
from microgpt.model import GPT, finite

# Ablated models are run at once up to this many positions. One at a time, a short text would take
# several times as long; for a long one, more at once save no time.
_POSITIONS_AT_ONCE = 1024


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
def logits_without_each_head(model: GPT, ids: Sequence[int]) -> Iterator[tuple[int, int, Tensor]]:
    """Ablate one head at a time; yield its layer, its head number and the logits (T, V).

    The model must be in eval mode. Raises ValueError unless there are 1 to block_size ids.
    """
    # The layers below a head are computed once.
    x = model.embed(torch.tensor([ids], device=model.head.weight.device))  # (1, T, C)
    for layer, block in enumerate(model.blocks):
        found = (each for batch in logits_without_heads(model, x, layer) for each in batch)
        for head, logits in enumerate(found):
            yield layer, head, finite(logits)
        x = block(x)


def logits_without_heads(model: GPT, x: Tensor, layer: int) -> Iterator[Tensor]:
    """Ablate each head of a layer in turn; yield the logits without them in batches (B, T, V).

    x: (1, T, C), the input of the layer, from 0.
    """
    masks = 1 - torch.eye(model.config.n_head, device=x.device)
    for part in masks.split(max(1, _POSITIONS_AT_ONCE // x.size(1))):
        yield from logits_from(model, model.block(layer)(x, head_mask=part), layer + 1)


def logits_from(model: GPT, x: Tensor, layer: int) -> Iterator[Tensor]:
    """Run the layers from one on, from 0; yield the logits of its inputs (B, T, C) in batches."""
    for part in x.split(max(1, _POSITIONS_AT_ONCE // x.size(1))):
        for block in model.blocks[layer:]:
            part = block(part)
        yield model.unembed(part)


@torch.inference_mode()
def ablate_each_head(model: GPT, ids: Sequence[int]) -> Iterator[tuple[int, int, AblationEffect]]:
    """Ablate one head at a time; yield its layer, its head number and the effect.

    The model must be in eval mode. Raises ValueError unless there are 1 to block_size ids.
    """
    whole = finite(model(torch.tensor([ids], device=model.head.weight.device))[0])  # (T, V)
    for layer, head, ablated in logits_without_each_head(model, ids):
        yield layer, head, ablation_effect(ids, whole, ablated)


def surprisal_without_each_head(model: GPT, ids: Sequence[int]) -> Tensor:
    """The surprisal of each character after the first when one head is ablated, (L, H, T - 1).

    In nats, on the CPU. The model must be in eval mode. Raises ValueError unless there are 1 to
    block_size ids.
    """
    logits = (ablated.cpu() for _, _, ablated in logits_without_each_head(model, ids))
    rows = np.stack([of_text(ids, each).surprisal for each in logits])  # (L * H, T - 1)
    return torch.from_numpy(rows).unflatten(0, (model.config.n_layer, model.config.n_head))


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
