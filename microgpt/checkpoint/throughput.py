"""How much of what the hardware can do a training run made use of."""

import torch

from microgpt.checkpoint.provenance import Training
from microgpt.config import GPTConfig
from microgpt.model import GPT


def flops_per_character(config: GPTConfig) -> int:
    """Floating-point operations of a forward and backward pass, for one character.

    Six a weight of every matrix product, and 12 L T C for the attention over a full window
    (Chowdhery et al., 2022, PaLM, appendix B); embeddings are looked up, not multiplied.
    """
    with torch.device("meta"):
        model = GPT(config)
    matrices = [
        p for name, p in model.named_parameters() if p.ndim == 2 and "embedding" not in name
    ]
    weights = sum(matrix.numel() for matrix in matrices)
    return 6 * weights + 12 * config.n_layer * config.block_size * config.n_embd


def characters_per_second(training: Training) -> float:
    """What a run read in a second of its training clock; 0 where that stood still."""
    return training.tokens / training.seconds if training.seconds else 0.0


def matmul_share(config: GPTConfig, training: Training) -> float | None:
    """The share of the measured rate of matrix products, matmul_flops, that a run made use of.

    None where that rate, or the time, was not measured.
    """
    if not training.matmul_flops or not training.seconds:
        return None
    return characters_per_second(training) * flops_per_character(config) / training.matmul_flops
