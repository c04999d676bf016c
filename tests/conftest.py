"""Shared fixtures: a small text, a small model with random weights, its checkpoint."""

import dataclasses
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

# A second thread does not help with small tensors, and on a busy machine the two threads wait for
# each other. OpenBLAS reads this when NumPy is loaded; subprocesses of the tests inherit it.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch

from microgpt import checkpoint
from microgpt.analysis import baselines
from microgpt.analysis.attention import attention_maps
from microgpt.analysis.baselines import Baselines
from microgpt.analysis.head_scores import Ablation
from microgpt.analysis.heads import text_scores
from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.provenance import Training
from microgpt.cli.heads import add_head_scores
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import Splits
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer
from microgpt.training.snapshots import stack, take_snapshot

torch.set_num_threads(1)

# A shell without job control starts what it puts in the background with SIGINT ignored, and a
# child process inherits that. Tests interrupt themselves and their children.
signal.signal(signal.SIGINT, signal.default_int_handler)

SLOWEST_FIRST = ("browser", "training", "experiments", "ui")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the slowest folders, so that all processes end at nearly the same time.

    Within a folder the files with the most tests come first; a file's tests stay together.
    """
    tests_in = Counter(item.path for item in items)

    def order(item: pytest.Item) -> tuple[int, int, str]:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        slowest = SLOWEST_FIRST.index(folder) if folder in SLOWEST_FIRST else len(SLOWEST_FIRST)
        return slowest, -tests_in[item.path], str(item.path)

    items.sort(key=order)


@pytest.fixture(scope="session", autouse=True)
def _baselines_fitted_once() -> Iterator[None]:
    """Fit the baselines of a text and seed only once; the 5,000 steps take 2 seconds."""
    fitted, fit = {}, baselines.fit

    def fit_once(splits: Splits, vocab_size: int, seed: int) -> Baselines:
        of = (*(part.numpy().tobytes() for part in splits), vocab_size, seed)
        if of not in fitted:
            fitted[of] = fit(splits, vocab_size, seed)
        return fitted[of]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "fit", fit_once)
        yield


@pytest.fixture(scope="session")
def corpus() -> str:
    """About 6,000 characters: lines of made-up words, the same in every run."""
    draw = random.Random(0)
    syllables = ["ba", "do", "ke", "li", "mu", "na", "ro", "si", "ta", "ve"]
    words = ["".join(draw.choices(syllables, k=draw.randint(1, 3))) for _ in range(60)]
    lines = [" ".join(draw.choices(words, k=6)).capitalize() + "." for _ in range(200)]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def corpus_file(corpus: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "words.txt"
    path.write_text(corpus, encoding="utf-8", newline="")
    return path


@pytest.fixture(scope="session")
def tokenizer(corpus: str) -> CharTokenizer:
    return CharTokenizer.from_text(corpus)


@pytest.fixture(scope="session")
def tiny_config(tokenizer: CharTokenizer) -> GPTConfig:
    return GPTConfig(
        vocab_size=tokenizer.vocab_size, block_size=16, n_layer=2, n_head=3, n_embd=24, dropout=0.0
    )


def drawn(config: GPTConfig, seed: int) -> GPT:
    """Make a model in eval mode; every parameter is random, so that each affects the output."""
    generator = torch.Generator().manual_seed(seed)
    model = GPT(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.4, generator=generator)
    return model.eval().requires_grad_(False)


@pytest.fixture(
    params=({"norm": "blocks"}, {"norm": "none"}, {"residual": False}, {"n_head": 1}, {}), ids=str
)
def any_model(request, tiny_config) -> GPT:
    """The small model, and variants of it without some parts, with random weights."""
    made = GPT(dataclasses.replace(tiny_config, **request.param))
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(0.0, 0.3, generator=generator)
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def copier() -> GPT:
    """A model with weights set by hand: its two heads copy what followed the last time.

    The first puts each character's predecessor beside it; the second looks for the last place
    whose predecessor is the present character, and writes what stands there.
    """
    vocab, size = 4, 12
    config = GPTConfig(
        vocab_size=vocab, block_size=size, n_layer=2, n_head=1, n_embd=3 * vocab + size, norm="none"
    )
    model = GPT(config)
    c = config.n_embd
    token, before, out = (slice(n * vocab, (n + 1) * vocab) for n in range(3))
    position = slice(3 * vocab, c)
    one = torch.eye(vocab)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.token_embedding.weight[:, token] = one
        model.position_embedding.weight[:, position] = torch.eye(size)
        sharp = 100 * c**0.5
        first, second = (block.attention for block in model.blocks)
        q, k, v = first.qkv.weight.chunk(3)  # (C, C) each, views
        q[position, position] = sharp * torch.eye(size).roll(-1, dims=0)  # t asks for t - 1
        k[position, position] = torch.eye(size)
        v[token, token] = one
        first.proj.weight[before, token] = one
        q, k, v = second.qkv.weight.chunk(3)
        q[token, token] = sharp * one
        k[token, before] = one
        q[before, token] = sharp  # and the later, the better
        k[before, position] = 0.1 * torch.arange(size) / vocab
        v[token, token] = one
        second.proj.weight[out, token] = one
        model.head.weight[:, out] = 3 * one
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def model(tiny_config: GPTConfig) -> GPT:
    """A 2-layer model."""
    return drawn(tiny_config, seed=0)


@pytest.fixture(scope="session")
def loss_record() -> list[LossRow]:
    return [
        LossRow(0, 0, 0.0, train_loss=3.2, val_loss=3.25),
        LossRow(10, 640, 0.5, learning_rate=1e-3, grad_norm=1.5, batch_loss=2.9),
        LossRow(20, 1280, 1.0, 1e-3, 1.25, 2.5, 2.4, 2.55),
    ]


@pytest.fixture(scope="session")
def training() -> Training:
    return Training(
        config=TrainConfig(steps=20, batch_size=4, eval_interval=20, eval_batches=5),
        preset="tiny",
        command="python -m microgpt train --data words.txt --out runs/words",
        commit="cd" * 20,
        data="words.txt",
        data_sha256="ab" * 32,
        steps=20,
        tokens=1280,
        seconds=1.0,
        matmul_flops=1e11,
        finished="2026-01-31",
        hardware="a small machine, 2 threads",
        torch="2.13.0",
        val_loss_full=2.5512,
    )


@pytest.fixture(scope="session")
def tiny_checkpoint(
    model: GPT,
    tokenizer: CharTokenizer,
    loss_record: list[LossRow],
    training: Training,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A saved checkpoint of the small model; copy it before changing it."""
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    checkpoint.save(folder, Checkpoint(model, tokenizer, loss_record, training))
    return folder


@pytest.fixture(scope="session")
def grown_checkpoint(
    model: GPT,
    tokenizer: CharTokenizer,
    training: Training,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A saved checkpoint of the small model with three snapshots of its training."""
    folder = tmp_path_factory.mktemp("checkpoint") / "grown"
    losses = ((0, 3.2, 3.25), (10, 2.8, 2.9), (20, 2.4, 2.55))
    record = [
        LossRow(step, 64 * step, step / 20, 1e-3, 1.5, 2.9, *split) for step, *split in losses
    ]
    passage = tokenizer.encode("Ba do\nke limu.")
    models = (drawn(model.config, seed=2), drawn(model.config, seed=1), model)
    snapshots = [
        take_snapshot(each, tokenizer, passage, row.step)
        for each, row in zip(models, record, strict=True)
    ]
    grown = stack(snapshots, passage)
    checkpoint.save(folder, Checkpoint(model, tokenizer, record, training, snapshots=grown))
    return folder


@pytest.fixture
def scored(tiny_checkpoint: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copy the small checkpoint and add head scores in which one head matters most."""

    def make(layer: int, head: int, name: str = "scored") -> Path:
        folder = shutil.copytree(tiny_checkpoint, tmp_path / name)
        loaded = checkpoint.load(folder)
        ids = loaded.tokenizer.encode("ba do ke li mu.")
        made = text_scores(attention_maps(loaded.model, ids).weights, ids, loaded.tokenizer)
        change = torch.zeros(2, 3)
        change[layer - 1, head - 1] = 0.1234
        kept = dataclasses.replace(made, ablation=Ablation(10, change))
        add_head_scores(folder, kept, loaded.config)
        return folder

    return make
