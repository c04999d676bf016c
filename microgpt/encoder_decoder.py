"""The encoder–decoder transformer (Vaswani et al., 2017); read model.py first.

The encoder reads a source text. The decoder writes a target text, one character at a time, and
looks at the source through cross-attention. The three kinds of attention differ in where queries,
keys and values come from, and in what is masked:

                          queries from   keys and values from   masked
  encoder self-attention  the source     the source             padding
  decoder self-attention  the target     the target             later positions
  cross-attention         the target     the source             padding

Sizes are those of model.py, with S positions of the source and T of the target. Both texts have
the same vocabulary. Sources of different lengths are padded at the end to the longest; source_mask
(B, S) is True for their characters and False for padding, and each has at least one character.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from microgpt.config import EncoderDecoderConfig, GPTConfig
from microgpt.model import (
    GPT,
    MLP,
    CausalSelfAttention,
    Transformer,
    attend,
    dropout,
    join_heads,
    split_heads,
)


class Maps(NamedTuple):
    """The attention weights of every head; row t holds those of the query at t and sums to 1.

    encoder: (B, L, H, S, S). decoder: (B, L, H, T, T), 0 after t. cross: (B, L, H, T, S). The
    weight of padding is 0.
    """

    encoder: Tensor
    decoder: Tensor
    cross: Tensor


class Attention(nn.Module):
    """Attention without a causal mask, whose keys and values may come from another text."""

    def __init__(self, config: EncoderDecoderConfig):
        super().__init__()
        self.n_head = config.n_head
        self.dropout = config.dropout
        self.q = nn.Linear(config.n_embd, config.n_embd, bias=False)
        self.kv = nn.Linear(config.n_embd, 2 * config.n_embd, bias=False)
        self.proj = nn.Linear(config.n_embd, config.n_embd)

    def forward(
        self,
        x: Tensor,  # (B, T, C), gives the queries
        source: Tensor,  # (B, S, C), gives the keys and values
        source_mask: Tensor,  # (B, S)
        *,
        head_mask: Tensor | None = None,  # (H,)
        maps: list[Tensor] | None = None,  # the attention weights are appended to it
    ) -> Tensor:  # (B, T, C)
        q = split_heads(self.q(x), self.n_head)  # (B, H, T, head_size)
        k, v = (split_heads(each, self.n_head) for each in self.kv(source).chunk(2, dim=-1))
        p = self.dropout if self.training else 0.0
        y, weights = attend(q, k, v, p, source_mask[:, None, None, :])
        if maps is not None:
            maps.append(weights)
        return dropout(self.proj(join_heads(y, head_mask)), p)


class EncoderBlock(nn.Module):
    def __init__(self, config: EncoderDecoderConfig):
        super().__init__()
        self.ln_attention = nn.LayerNorm(config.n_embd)
        self.attention = Attention(config)
        self.ln_mlp = nn.LayerNorm(config.n_embd)
        self.mlp = MLP(config)

    def forward(
        self,
        x: Tensor,  # (B, S, C)
        source_mask: Tensor,  # (B, S)
        *,
        maps: list[Tensor] | None = None,
    ) -> Tensor:  # (B, S, C)
        normed = self.ln_attention(x)
        x = x + self.attention(normed, normed, source_mask, maps=maps)
        return x + self.mlp(self.ln_mlp(x))


class DecoderBlock(nn.Module):
    def __init__(self, config: EncoderDecoderConfig, layer: int):
        super().__init__()
        self.ln_attention = nn.LayerNorm(config.n_embd)
        self.attention = CausalSelfAttention(config, layer)
        self.ln_cross = nn.LayerNorm(config.n_embd)
        self.cross = Attention(config)
        self.ln_mlp = nn.LayerNorm(config.n_embd)
        self.mlp = MLP(config)

    def forward(
        self,
        x: Tensor,  # (B, T, C)
        source: Tensor,  # (B, S, C), the output of the encoder
        source_mask: Tensor,  # (B, S)
        *,
        cross_head_mask: Tensor | None = None,  # (H,)
        maps: list[Tensor] | None = None,
        cross_maps: list[Tensor] | None = None,
    ) -> Tensor:  # (B, T, C)
        x = x + self.attention(self.ln_attention(x), maps=maps)
        x = x + self.cross(
            self.ln_cross(x), source, source_mask, head_mask=cross_head_mask, maps=cross_maps
        )
        return x + self.mlp(self.ln_mlp(x))


class EncoderDecoder(Transformer):
    """Token ids of a source (B, S) and of a target (B, T) in, logits (B, T, V) out.

    A call stores nothing on the model, so threads may share a model in eval mode.
    """

    config: EncoderDecoderConfig

    def __init__(self, config: EncoderDecoderConfig):
        super().__init__()
        self.config = config
        layers = range(config.n_layer)
        self.token_embedding = nn.Embedding(config.vocab_size, config.n_embd)
        self.source_position_embedding = nn.Embedding(config.source_size, config.n_embd)
        self.encoder_blocks = nn.ModuleList(EncoderBlock(config) for _ in layers)
        self.ln_encoder = nn.LayerNorm(config.n_embd)
        self.position_embedding = nn.Embedding(config.block_size, config.n_embd)
        self.blocks = nn.ModuleList(DecoderBlock(config, layer) for layer in layers)
        self.ln_final = nn.LayerNorm(config.n_embd)
        self.head = nn.Linear(config.n_embd, config.vocab_size)

    def _embed(self, idx: Tensor, positions: nn.Embedding) -> Tensor:
        """Embed token ids (B, T) at positions 0, 1, …; return (B, T, C)."""
        most = positions.num_embeddings
        if not 0 < idx.size(1) <= most:
            raise ValueError(f"there are {idx.size(1)} tokens; pass 1 to {most}")
        at = torch.arange(idx.size(1), device=idx.device)  # (T,)
        return self.token_embedding(idx) + positions(at)

    def encode(
        self, idx: Tensor, source_mask: Tensor | None = None, *, maps: list[Tensor] | None = None
    ) -> Tensor:
        """What the decoder sees of a source: (B, S, C) for token ids idx (B, S).

        source_mask: by default there is no padding. maps: a list to which each layer appends its
        attention weights (B, H, S, S). Raises ValueError unless there are 1 to source_size tokens.
        """
        mask = torch.ones_like(idx, dtype=torch.bool) if source_mask is None else source_mask
        x = self._embed(idx, self.source_position_embedding)
        for block in self.encoder_blocks:
            x = block(x, mask, maps=maps)  # (B, S, C)
        return self.ln_encoder(x)

    def decode(
        self,
        idx: Tensor,
        source: Tensor,
        source_mask: Tensor | None = None,
        *,
        cross_head_mask: Tensor | None = None,
        maps: list[Tensor] | None = None,
        cross_maps: list[Tensor] | None = None,
    ) -> Tensor:
        """Logits (B, T, V) for token ids idx (B, T) of a target; row t predicts what follows t.

        source: (B, S, C), the result of encode. cross_head_mask: (L, H), scales the output of each
        cross-attention head; 0 ablates a head. maps, cross_maps: lists to which each layer appends
        its attention weights, (B, H, T, T) and (B, H, T, S). Raises ValueError unless there are 1
        to block_size tokens.
        """
        if source_mask is None:
            source_mask = torch.ones(source.shape[:2], dtype=torch.bool, device=source.device)
        x = self._embed(idx, self.position_embedding)
        for layer, block in enumerate(self.blocks):
            mask = cross_head_mask[layer] if cross_head_mask is not None else None
            x = block(
                x, source, source_mask, cross_head_mask=mask, maps=maps, cross_maps=cross_maps
            )  # (B, T, C)
        return self.head(self.ln_final(x))

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        source_mask: Tensor | None = None,
        *,
        cross_head_mask: Tensor | None = None,
    ) -> Tensor:
        """Logits (B, T, V) for token ids source (B, S) and target (B, T); see encode and decode."""
        encoded = self.encode(source, source_mask)
        return self.decode(target, encoded, source_mask, cross_head_mask=cross_head_mask)

    def forward_with_attention(
        self,
        source: Tensor,
        target: Tensor,
        source_mask: Tensor | None = None,
        *,
        cross_head_mask: Tensor | None = None,
    ) -> tuple[Tensor, Maps]:
        """Logits (B, T, V) and the attention weights of every head; arguments as for forward."""
        encoder: list[Tensor] = []
        decoder: list[Tensor] = []
        cross: list[Tensor] = []
        encoded = self.encode(source, source_mask, maps=encoder)
        logits = self.decode(
            target,
            encoded,
            source_mask,
            cross_head_mask=cross_head_mask,
            maps=decoder,
            cross_maps=cross,
        )
        return logits, Maps(*(torch.stack(each, dim=1) for each in (encoder, decoder, cross)))


def model_for(config: GPTConfig) -> Transformer:
    """Make the kind of model that a config describes."""
    return EncoderDecoder(config) if isinstance(config, EncoderDecoderConfig) else GPT(config)
