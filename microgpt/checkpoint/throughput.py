"""The speed of a training run, and its model FLOPs utilization (MFU)."""

from microgpt.checkpoint.provenance import Training
from microgpt.config import EncoderDecoderConfig, GPTConfig
from microgpt.model import without_weights


def flops_per_character(config: GPTConfig) -> int:
    """Floating-point operations of a forward and backward pass, per character.

    6 for each weight of a matrix product, and 12 L T C for attention over a full window
    (Chowdhery et al., 2022, PaLM, appendix B). Embeddings are looked up, not multiplied.
    """
    weights_by_name = without_weights(config).state_dict()  # with a tied head
    matrices = [p for name, p in weights_by_name.items() if p.ndim == 2 and "embedding" not in name]
    weights = sum(matrix.numel() for matrix in matrices)
    return 6 * weights + 12 * config.n_layer * config.block_size * config.n_embd


def characters_per_second(training: Training) -> float:
    """Training speed in characters per second; 0 if the time was not measured."""
    return training.tokens / training.seconds if training.seconds else 0.0


def estimate_mfu(config: GPTConfig, training: Training) -> float | None:
    """Estimate the MFU of a run, relative to the measured speed of matrix products (matmul_flops).

    None if that speed or the time was not measured, and for an encoder–decoder, whose texts have
    different lengths.
    """
    if isinstance(config, EncoderDecoderConfig):
        return None
    if not training.matmul_flops or not training.seconds:
        return None
    return characters_per_second(training) * flops_per_character(config) / training.matmul_flops
