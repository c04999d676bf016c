"""Models of other programs, written for the tests, with the names of weights that those have."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def attention(q: Tensor, k: Tensor, v: Tensor, n_head: int, divisor: float) -> Tensor:
    """Causal attention of q, k, v (B, T, C); the heads side by side, (B, T, C)."""
    heads = [part.unflatten(-1, (n_head, -1)).transpose(1, 2) for part in (q, k, v)]
    scores = heads[0] @ heads[1].mT / math.sqrt(divisor)
    later = torch.ones(q.size(1), q.size(1), dtype=torch.bool).triu(1)
    weights = scores.masked_fill(later, -math.inf).softmax(-1)
    return (weights @ heads[2]).transpose(1, 2).flatten(2)


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.requires_grad_(False).normal_(0, 0.3, generator=generator)
    return model.eval()


class Norm(nn.Module):
    def __init__(self, size: int, bias: bool):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.bias = nn.Parameter(torch.zeros(size)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias)


class GPT2Block(nn.Module):
    def __init__(self, size: int, n_head: int, bias: bool, gelu: nn.Module):
        super().__init__()
        self.n_head = n_head
        self.ln_1, self.ln_2 = Norm(size, bias), Norm(size, bias)
        self.attn = nn.ModuleDict(
            {
                "c_attn": nn.Linear(size, 3 * size, bias=bias),
                "c_proj": nn.Linear(size, size, bias=bias),
            }
        )
        self.mlp = nn.ModuleDict(
            {
                "c_fc": nn.Linear(size, 4 * size, bias=bias),
                "gelu": gelu,
                "c_proj": nn.Linear(4 * size, size, bias=bias),
            }
        )
        self.attn.register_buffer("bias", torch.ones(16, 16).tril()[None, None])

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.attn["c_attn"](self.ln_1(x)).chunk(3, dim=-1)
        y = attention(q, k, v, self.n_head, x.size(-1) / self.n_head)
        x = x + self.attn["c_proj"](y)
        return x + self.mlp["c_proj"](self.mlp["gelu"](self.mlp["c_fc"](self.ln_2(x))))


class NanoGPT(nn.Module):
    """nanoGPT, or with tied=False and the tanh GELU the newer minGPT."""

    def __init__(
        self,
        n_layer: int = 2,
        n_head: int = 3,
        n_embd: int = 48,
        block_size: int = 16,
        bias: bool = True,
        vocab_size: int = 28,
        dropout: float = 0.0,
        tied: bool = True,
        gelu: str = "none",
    ):
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(vocab_size, n_embd),
                "wpe": nn.Embedding(block_size, n_embd),
                "h": nn.ModuleList(
                    GPT2Block(n_embd, n_head, bias, nn.GELU(gelu)) for _ in range(n_layer)
                ),
                "ln_f": Norm(n_embd, bias),
            }
        )
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)
        if tied:
            self.transformer["wte"].weight = self.lm_head.weight

    def forward(self, idx: Tensor) -> Tensor:
        at = torch.arange(idx.size(1))
        x = self.transformer["wte"](idx) + self.transformer["wpe"](at)
        for block in self.transformer["h"]:
            x = block(x)
        return self.lm_head(self.transformer["ln_f"](x))


class OldMinGPTBlock(nn.Module):
    def __init__(self, size: int, n_head: int):
        super().__init__()
        self.n_head = n_head
        self.ln1, self.ln2 = nn.LayerNorm(size), nn.LayerNorm(size)
        names = ("key", "query", "value", "proj")
        self.attn = nn.ModuleDict({name: nn.Linear(size, size) for name in names})
        self.attn.register_buffer("mask", torch.ones(16, 16).tril()[None, None])
        self.mlp = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(), nn.Linear(4 * size, size))

    def forward(self, x: Tensor) -> Tensor:
        y = self.ln1(x)
        q, k, v = (self.attn[name](y) for name in ("query", "key", "value"))
        y = attention(q, k, v, self.n_head, x.size(-1) / self.n_head)
        x = x + self.attn["proj"](y)
        return x + self.mlp(self.ln2(x))


class OldMinGPT(nn.Module):
    def __init__(self, n_head: int = 3, size: int = 48, vocab_size: int = 28):
        super().__init__()
        self.tok_emb = nn.Embedding(vocab_size, size)
        self.pos_emb = nn.Parameter(torch.zeros(1, 16, size))
        self.blocks = nn.Sequential(*(OldMinGPTBlock(size, n_head) for _ in range(2)))
        self.ln_f = nn.LayerNorm(size)
        self.head = nn.Linear(size, vocab_size, bias=False)

    def forward(self, idx: Tensor) -> Tensor:
        x = self.tok_emb(idx) + self.pos_emb[:, : idx.size(1)]
        return self.head(self.ln_f(self.blocks(x)))


class LectureHead(nn.Module):
    def __init__(self, size: int, head_size: int, by_channels: bool):
        super().__init__()
        self.key, self.query, self.value = (
            nn.Linear(size, head_size, bias=False) for _ in range(3)
        )
        self.divisor = size if by_channels else head_size
        self.register_buffer("tril", torch.ones(16, 16).tril())

    def forward(self, x: Tensor) -> Tensor:
        return attention(self.query(x), self.key(x), self.value(x), 1, self.divisor)


class LectureBlock(nn.Module):
    def __init__(self, size: int, n_head: int, by_channels: bool):
        super().__init__()
        heads = [LectureHead(size, size // n_head, by_channels) for _ in range(n_head)]
        self.sa = nn.ModuleDict({"heads": nn.ModuleList(heads), "proj": nn.Linear(size, size)})
        layers = nn.Linear(size, 4 * size), nn.ReLU(), nn.Linear(4 * size, size), nn.Dropout(0.2)
        self.ffwd = nn.ModuleDict({"net": nn.Sequential(*layers)})
        self.ln1, self.ln2 = nn.LayerNorm(size), nn.LayerNorm(size)

    def forward(self, x: Tensor) -> Tensor:
        y = self.ln1(x)
        x = x + self.sa["proj"](torch.cat([head(y) for head in self.sa["heads"]], dim=-1))
        return x + self.ffwd["net"](self.ln2(x))


class Lecture(nn.Module):
    def __init__(self, by_channels: bool = False, n_head: int = 3, size: int = 48):
        super().__init__()
        self.token_embedding_table = nn.Embedding(28, size)
        self.position_embedding_table = nn.Embedding(16, size)
        self.blocks = nn.Sequential(*(LectureBlock(size, n_head, by_channels) for _ in range(2)))
        self.ln_f = nn.LayerNorm(size)
        self.lm_head = nn.Linear(size, 28)

    def forward(self, idx: Tensor) -> Tensor:
        at = torch.arange(idx.size(1))
        x = self.token_embedding_table(idx) + self.position_embedding_table(at)
        return self.lm_head(self.ln_f(self.blocks(x)))
