"""The transformer, written to be read from top to bottom.

Sizes: B batch, T time (position in the window), C channels (n_embd), H heads, L layers,
V vocabulary. S is the number of keys: T, plus the positions in the cache. The architecture is the
pre-norm decoder of GPT-2 (Radford et al., 2019) with ReLU in the MLP, scores scaled by
head_size^-0.5 (Vaswani et al., 2017, section 3.2.1) and a head that is not tied to the embedding.
GPTConfig has options for the variants of other code, such as GELU and a tied head.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from microgpt.config import GPTConfig
from microgpt.errors import MicroGPTError

M = TypeVar("M", bound="Transformer")
T = TypeVar("T", Tensor, float)

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
}
QUERY_BLOCK = 64  # the queries that attention with dropout processes at once on a CPU


class KVCache:
    """The keys and values of the positions that a model has processed; the caller owns it.

    keys, values: (L, B, H, block_size, head_size). length: the number of positions in the cache.
    """

    def __init__(self, config: GPTConfig, batch_size: int = 1, device: torch.device | str = "cpu"):
        shape = (config.n_layer, batch_size, config.n_head, config.block_size, config.head_size)
        self.keys = torch.zeros(shape, device=device)
        self.values = torch.zeros(shape, device=device)
        self.length = 0

    @staticmethod
    def size_in_bytes(config: GPTConfig) -> int:
        """The memory of a cache of one text in float32."""
        return 2 * 4 * config.n_layer * config.block_size * config.n_embd

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Append k and v (B, H, T, head_size); return all S positions (B, H, S, head_size)."""
        end = self.length + k.size(2)
        self.keys[layer, :, :, self.length : end] = k
        self.values[layer, :, :, self.length : end] = v
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


def causal_mask(t: int, s: int, device: torch.device) -> Tensor:
    """A mask (T, S), True for the keys that a query may attend to: those up to its own position.

    The T queries are the last T of the S positions.
    """
    return torch.ones(t, s, dtype=torch.bool, device=device).tril(s - t)


def dropout(x: Tensor, p: float) -> Tensor:
    """Zero each element with probability p and scale the others by 1 / (1 - p).

    On a CPU the random generator is the slow part of F.dropout. Here one draw of 64 bits serves
    four elements, and p is rounded to a multiple of 2^-16.
    """
    if p == 0:
        return x
    if not x.is_cpu:
        return F.dropout(x, p)
    draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    values = draws.view(torch.int16)[: x.numel()].view(x.shape)  # uniform in [-2^15, 2^15)
    dropped = round(p * 2**16)
    return x * (values >= dropped - 2**15) * (2**16 / (2**16 - dropped))


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    p: float = 0.0,
    mask: Tensor | None = None,
    scale: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Attention of T queries to S keys, with dropout of probability p on the weights.

    q: (B, H, T, head_size). k, v: (B, H, S, head_size). mask: broadcast to (B, H, T, S), True for
    the keys that a query may attend to; by default causal_mask. scale: multiplies the scores; by
    default head_size^-0.5. Returns the output (B, H, T, head_size) and the weights before dropout
    (B, H, T, S).
    """
    scale = q.size(-1) ** -0.5 if scale is None else scale
    scores = q @ k.transpose(-2, -1) * scale  # (B, H, T, S)
    if mask is None:
        mask = causal_mask(q.size(2), k.size(2), q.device)
    weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=-1)
    return dropout(weights, p) @ v, weights


def split_heads(x: Tensor, n_head: int) -> Tensor:
    """Give each head its slice of the channels: (B, T, C) to (B, H, T, head_size)."""
    return x.unflatten(-1, (n_head, -1)).transpose(1, 2)


def join_heads(y: Tensor, head_mask: Tensor | None = None) -> Tensor:
    """Put the outputs of the heads side by side: (B, H, T, head_size) to (B, T, C).

    head_mask: (H,), scales the output of each head. With (N, H), one text gives N results.
    """
    if head_mask is not None:
        y = y * head_mask[..., None, None]
    return y.transpose(1, 2).flatten(2)


class CausalSelfAttention(nn.Module):
    def __init__(self, config: GPTConfig, layer: int):
        super().__init__()
        self.layer = layer  # from 0; a cache holds all layers
        self.n_head = config.n_head
        self.scale = config.score_divisor**-0.5
        self.dropout = config.dropout
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.qkv_bias)
        self.proj = nn.Linear(config.n_embd, config.n_embd, bias=config.linear_bias)

    def project_qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Project x (B, T, C) to queries, keys and values, each (B, H, T, head_size)."""
        q, k, v = self.qkv(x).chunk(3, dim=-1)  # (B, T, C) each
        q, k, v = (split_heads(each, self.n_head) for each in (q, k, v))
        return q, k, v

    def forward(
        self,
        x: Tensor,  # (B, T, C)
        *,
        cache: KVCache | None = None,
        head_mask: Tensor | None = None,  # (H,) or (N, H), as in join_heads
        maps: list[Tensor] | None = None,  # the attention weights are appended to it
    ) -> Tensor:  # (B, T, C)
        q, k, v = self.project_qkv(x)
        if cache is not None:
            k, v = cache.extend(self.layer, k, v)  # (B, H, S, head_size)
        t, s = q.size(2), k.size(2)
        p = self.dropout if self.training else 0.0
        if maps is not None:
            y, weights = attend(q, k, v, p, scale=self.scale)
            maps.append(weights)
        elif p and x.is_cpu:
            # PyTorch's fused kernel for CPUs has no dropout. A block of queries needs no later key.
            starts = range(0, t, QUERY_BLOCK)
            blocks = [(q[:, :, i : i + QUERY_BLOCK], s - t + i + QUERY_BLOCK) for i in starts]
            parts = [attend(b, k[:, :, :e], v[:, :, :e], p, scale=self.scale)[0] for b, e in blocks]
            y = torch.cat(parts, dim=2)
        else:
            mask = causal_mask(t, s, x.device) if 1 < t < s else None
            y = F.scaled_dot_product_attention(
                q, k, v, mask, p, is_causal=t == s and t > 1, scale=self.scale
            )
        y = self.proj(join_heads(y, head_mask))  # (B, T, C)
        return dropout(y, p)


class MLP(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.dropout = config.dropout
        self.activation = ACTIVATIONS[config.activation]
        width = config.mlp_ratio * config.n_embd
        self.up = nn.Linear(config.n_embd, width, bias=config.linear_bias)
        self.down = nn.Linear(width, config.n_embd, bias=config.linear_bias)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, C) -> (B, T, C)
        p = self.dropout if self.training else 0.0
        return dropout(self.down(self.activation(self.up(x))), p)


class Block(nn.Module):
    def __init__(self, config: GPTConfig, layer: int):
        super().__init__()
        norm = nn.Identity if config.norm == "none" else nn.LayerNorm
        self.residual = config.residual
        self.ln_attention = norm(config.n_embd, bias=config.norm_bias)
        self.attention = CausalSelfAttention(config, layer)
        self.ln_mlp = norm(config.n_embd, bias=config.norm_bias)
        self.mlp = MLP(config)

    def forward(
        self,
        x: Tensor,  # (B, T, C)
        *,
        cache: KVCache | None = None,
        head_mask: Tensor | None = None,  # (H,) or (N, H), as in join_heads
        maps: list[Tensor] | None = None,
        residuals: list[Tensor] | None = None,  # the stream after the attention is appended to it
    ) -> Tensor:  # (B, T, C)
        attended = self.attention(self.ln_attention(x), cache=cache, head_mask=head_mask, maps=maps)
        x = x + attended if self.residual else attended
        if residuals is not None:
            residuals.append(x)
        return self.after_attention(x)

    def after_attention(self, x: Tensor) -> Tensor:  # (B, T, C) -> (B, T, C)
        computed = self.mlp(self.ln_mlp(x))
        return x + computed if self.residual else computed


class Transformer(nn.Module):
    """What the GPT and the encoder–decoder share: how the weights start, and their number."""

    config: GPTConfig
    token_embedding: nn.Embedding
    head: nn.Linear

    def init_small(self, generator: torch.Generator | None = None) -> None:
        """Initialise the weights with N(0, 0.02²), as GPT-2 does, and the biases with zero.

        The projections that write to the residual stream start at zero, so every block is the
        identity at step 0. Training is then stable at any depth and at a high learning rate from
        the start (Zhang et al., 2019, Fixup; Bachlechner et al., 2020, ReZero).
        """
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02, generator=generator)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        for name, parameter in self.named_parameters():
            if self.config.residual and name.endswith((".proj.weight", ".down.weight")):
                nn.init.zeros_(parameter)

    def parameter_count(self) -> int:
        return sum(p.numel() for p in self.parameters())


class GPT(Transformer):
    """A decoder-only transformer: token ids (B, T) in, logits (B, T, V) out.

    A call stores nothing on the model, so threads may share a model in eval mode.
    """

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.n_embd)
        self.position_embedding = nn.Embedding(config.block_size, config.n_embd)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        norm = nn.LayerNorm if config.norm == "all" else nn.Identity
        self.ln_final = norm(config.n_embd, bias=config.norm_bias)
        self.head = nn.Linear(config.n_embd, config.vocab_size, bias=config.head_bias)
        if config.tied:
            self.token_embedding.weight = self.head.weight

    def block(self, layer: int) -> Block:
        """A block by its layer, from 0. Raises IndexError."""
        return cast(Block, self.blocks[layer])

    def embed(self, idx: Tensor, past: int = 0) -> Tensor:
        """Embed token ids idx (B, T) at positions past, past + 1, …; return (B, T, C).

        Raises ValueError when there is no token, or when the positions do not fit the window.
        """
        end = past + idx.size(1)
        if end == past:
            raise ValueError("there is no token; pass at least one")
        if end > self.config.block_size:
            raise ValueError(
                f"{end} positions do not fit the window of {self.config.block_size}; "
                "pass fewer tokens"
            )
        positions = torch.arange(past, end, device=idx.device)  # (T,)
        return self.token_embedding(idx) + self.position_embedding(positions)

    def unembed(self, x: Tensor) -> Tensor:
        """Logits (B, T, V) from the last block's output x (B, T, C)."""
        return self.head(self.ln_final(x))

    def forward(
        self,
        idx: Tensor,
        *,
        cache: KVCache | None = None,
        head_mask: Tensor | None = None,
        maps: list[Tensor] | None = None,
    ) -> Tensor:
        """Logits (B, T, V) for token ids idx (B, T).

        cache: holds the positions before idx; the positions of idx are added to it. head_mask:
        (L, H), scales each head's output; 0 ablates a head. maps: a list to which each layer
        appends its attention weights (B, H, T, S). Raises ValueError when there is no token, or
        when the positions do not fit the window.
        """
        past = cache.length if cache is not None else 0
        x = self.embed(idx, past)
        for layer, block in enumerate(self.blocks):
            mask = head_mask[layer] if head_mask is not None else None
            x = block(x, cache=cache, head_mask=mask, maps=maps)  # (B, T, C)
        if cache is not None:
            cache.length = past + idx.size(1)
        return self.unembed(x)

    def forward_with_attention(
        self, idx: Tensor, *, head_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, T, V) and the attention weights of every head, (B, L, H, T, T).

        Row t of a map holds the attention weights of the query at t; they sum to 1 and are 0 after
        t. Raises ValueError when there is no token, or when the positions do not fit the window.
        """
        maps: list[Tensor] = []
        logits = self(idx, head_mask=head_mask, maps=maps)
        return logits, torch.stack(maps, dim=1)


class _SkipInit(TorchFunctionMode):
    """Within its block, the functions of torch.nn.init leave their tensor as it is."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == nn.init.__name__:
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def without_weights(config: GPTConfig) -> GPT:
    """Make a model on the meta device: its parameters have shapes, but no values and no memory."""
    return on_meta(lambda: GPT(config))


def on_meta(make: Callable[[], M]) -> M:
    """Call a function that makes a model; its parameters are on the meta device."""
    # Initialising a tensor on this device imports torch._dynamo, which takes more than a second and
    # needs a folder for temporary files.
    with torch.device("meta"), _SkipInit():
        return make()


class ModelOverflowError(MicroGPTError):
    """The activations of a model are too large for its precision."""

    def __init__(self) -> None:
        super().__init__(
            "the activations of this model overflow on this text; use another checkpoint"
        )


def finite(values: T) -> T:
    """Check that the values that a model computed are finite, and return them.

    Called on logits, attention weights and losses, because activations may overflow even if all
    weights are finite. Raises ModelOverflowError.
    """
    if not torch.as_tensor(values).isfinite().all():
        raise ModelOverflowError
    return values
