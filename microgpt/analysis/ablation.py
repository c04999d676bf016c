"""Switching heads off, to see what a model is without them (Michel et al., 2019)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from microgpt.config import GPTConfig
from microgpt.model import GPT


@dataclass(frozen=True)
class Effect:
    """What a text's predictions lost with some heads off.

    loss_change: nats per character over the text after its first, None where there is no more;
    below 0 the text is predicted better. divergence: nats, KL of the prediction without the heads
    from the one with them, mean over all positions. next_divergence: the same of the character
    after the text alone.
    """

    loss_change: float | None
    divergence: float
    next_divergence: float


def effect(ids: Sequence[int], whole: Tensor, without: Tensor) -> Effect:
    """Compare a text's logits (T, V) with all heads on and with some off."""
    p, q = whole.double().log_softmax(dim=-1), without.double().log_softmax(dim=-1)
    divergences = F.kl_div(q, p, reduction="none", log_target=True).sum(dim=-1).clamp_min(0)  # (T,)
    change = None
    if len(ids) > 1:
        targets = torch.tensor(ids[1:], device=p.device)
        change = (F.nll_loss(q[:-1], targets) - F.nll_loss(p[:-1], targets)).item()
    return Effect(change, divergences.mean().item(), divergences[-1].item())


def head_mask(config: GPTConfig, off: Iterable[tuple[int, int]]) -> Tensor:
    """A mask (L, H) for the model: 0 at the heads that are off, by layer and head from 0, else 1.

    Raises IndexError for a head that the model does not have.
    """
    mask = torch.ones(config.n_layer, config.n_head)
    for layer, head in off:
        mask[layer, head] = 0.0
    return mask


@torch.inference_mode()
def logits_without(model: GPT, ids: Sequence[int], off: Iterable[tuple[int, int]]) -> Tensor:
    """Logits (T, V) of a model in eval mode over T ids with some heads off, as in head_mask."""
    idx = torch.tensor([ids])
    return model(idx, head_mask=head_mask(model.config, off))[0]


@torch.inference_mode()
def each_head_off(model: GPT, ids: Sequence[int]) -> Iterator[tuple[int, int, Effect]]:
    """Layer, head and effect of each head of a model in eval mode, switched off by itself.

    Raises ValueError unless there are 1 to block_size ids.
    """
    # What lies below a head is computed once. Running a layer's heads as one batch would halve the
    # time of 20 characters, which is short, and gain nothing at 256.
    idx = torch.tensor([ids], device=model.head.weight.device)  # (1, T)
    x = model.embed(idx)  # (1, T, C)
    whole = model(idx)[0]  # (T, V)
    for layer, block in enumerate(model.blocks):
        for head in range(model.config.n_head):
            mask = torch.ones(model.config.n_head, device=x.device)
            mask[head] = 0
            y = block(x, head_mask=mask)
            for later in model.blocks[layer + 1 :]:
                y = later(y)
            yield layer, head, effect(ids, whole, model.unembed(y)[0])
        x = block(x)


def mean_loss_changes(
    model: GPT, texts: Tensor, progress: Callable[[], object] = lambda: None
) -> Tensor:
    """What a loss gains, in nats per character, with each head switched off by itself, (L, H).

    It is the mean over texts (N, T) of at least two ids; the model is in eval mode. progress is
    called after each head of each text.
    """
    sums = torch.zeros(model.config.n_layer, model.config.n_head, dtype=torch.float64)
    for ids in texts.tolist():
        for layer, head, found in each_head_off(model, ids):
            sums[layer, head] += found.loss_change
            progress()
    return (sums / len(texts)).float()
