"""Shared fixtures: a small text, a small model with random weights, its checkpoint."""

import dataclasses
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

# A second thread does not help with small tensors, and on a busy machine the two threads wait for
# each other. OpenBLAS reads this when NumPy is loaded; subprocesses of the tests inherit it.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from microgpt import checkpoint
from microgpt.analysis import baselines
from microgpt.analysis.attention import attention_maps
from microgpt.analysis.baselines import Baselines
from microgpt.analysis.context_length import ContextLosses
from microgpt.analysis.head_patterns import PATTERNS
from microgpt.analysis.head_scores import Ablation, HeadScores, SnapshotScores
from microgpt.analysis.heads import text_scores
from microgpt.checkpoint import WEIGHTS, Checkpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.provenance import Training
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.cli import main
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import Splits
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer
from microgpt.training.snapshots import stack, take_snapshot
from tests.checkpoint.editing import update_hashes
from tests.models import OTHER_SHAPES, random_model
from tests.pair_checkpoint import save_pair_checkpoint
from tests.small_run import train_command

torch.set_num_threads(1)

# A shell without job control starts what it puts in the background with SIGINT ignored, and a
# child process inherits that. Tests interrupt themselves and their children.
signal.signal(signal.SIGINT, signal.default_int_handler)

SLOWEST_FIRST = ("browser", "training", "experiments", "ui")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the slowest folders, so that all processes end at nearly the same time.

    Within a folder the files with the most tests come first; a file's tests stay together.
    """
    test_count = Counter(item.path for item in items)

    def order(item: pytest.Item) -> tuple[int, int, str]:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        rank = SLOWEST_FIRST.index(folder) if folder in SLOWEST_FIRST else len(SLOWEST_FIRST)
        return rank, -test_count[item.path], str(item.path)

    items.sort(key=order)


@pytest.fixture(scope="session", autouse=True)
def _own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Leave the user's cache folder alone, also in subprocesses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICROGPT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _baselines_fitted_once() -> Iterator[None]:
    """Fit the baselines of a text and seed only once; the 5,000 steps take 2 seconds."""
    fitted, fit = {}, baselines.fit

    def fit_once(splits: Splits, vocab_size: int, seed: int) -> Baselines:
        key = (*(part.numpy().tobytes() for part in splits), vocab_size, seed)
        if key not in fitted:
            fitted[key] = fit(splits, vocab_size, seed)
        return fitted[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "fit", fit_once)
        yield


@pytest.fixture
def full_disk() -> Callable[[], AbstractContextManager[None]]:
    """Make a block of code in which no file can grow beyond 10,000 bytes."""
    resource = pytest.importorskip("resource")  # not on Windows

    @contextmanager
    def limited() -> Iterator[None]:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    return limited


@pytest.fixture(scope="session")
def corpus() -> str:
    """About 6,000 characters: lines of made-up words, the same in every run."""
    generator = random.Random(0)
    syllables = ["ba", "do", "ke", "li", "mu", "na", "ro", "si", "ta", "ve"]
    words = ["".join(generator.choices(syllables, k=generator.randint(1, 3))) for _ in range(60)]
    lines = [" ".join(generator.choices(words, k=6)).capitalize() + "." for _ in range(200)]
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


@pytest.fixture(
    params=(
        *({"norm": "blocks"}, {"norm": "none"}, {"residual": False}, {"n_head": 1}, {}),
        *OTHER_SHAPES.values(),
    ),
    ids=str,
)
def model_variant(request, tiny_config) -> GPT:
    """The small model, and variants of it without some parts."""
    return random_model(dataclasses.replace(tiny_config, **request.param), seed=2, std=0.3)


@pytest.fixture(scope="session")
def model(tiny_config: GPTConfig) -> GPT:
    """A 2-layer model."""
    return random_model(tiny_config, seed=0)


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
def pair_checkpoint(
    loss_record: list[LossRow], training: Training, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The checkpoint of a small encoder–decoder, with snapshots and scores."""
    folder = tmp_path_factory.mktemp("pairs") / "pairs"
    return save_pair_checkpoint(folder, loss_record, training)


@pytest.fixture
def checkpoint_copy(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the small checkpoint that a test may change."""
    return shutil.copytree(tiny_checkpoint, tmp_path / "copy")


@pytest.fixture
def overflowing_checkpoint(checkpoint_copy: Path) -> Path:
    """A checkpoint whose weights are finite and whose activations are not."""
    weights = load_file(checkpoint_copy / WEIGHTS)
    save_file({name: 1e30 * w.float() for name, w in weights.items()}, checkpoint_copy / WEIGHTS)
    update_hashes(checkpoint_copy)
    return checkpoint_copy


@pytest.fixture(scope="session")
def exportable_checkpoint(
    tiny_config: GPTConfig,
    tokenizer: CharTokenizer,
    training: Training,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A checkpoint with at least as many channels as characters, as the export to GPT-2 needs."""
    torch.manual_seed(0)
    model = GPT(dataclasses.replace(tiny_config, n_embd=36))
    folder = tmp_path_factory.mktemp("checkpoint") / "exportable"
    checkpoint.save(folder, Checkpoint(model, tokenizer, [LossRow(0, 0, 0.0)], training))
    return folder


@pytest.fixture(scope="session")
def trained_checkpoint(corpus_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a small run of the train command; its state is beside it."""
    out = tmp_path_factory.mktemp("runs") / "words"
    assert main(train_command(corpus_file, out)) == 0
    return out


@pytest.fixture(scope="session")
def checkpoint_with_snapshots(
    model: GPT,
    tokenizer: CharTokenizer,
    training: Training,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A saved checkpoint of the small model with three snapshots of its training."""
    folder = tmp_path_factory.mktemp("checkpoint") / "snapshots"
    losses = ((0, 3.2, 3.25), (10, 2.8, 2.9), (20, 2.4, 2.55))
    record = [
        LossRow(step, 64 * step, step / 20, 1e-3, 1.5, 2.9, *split) for step, *split in losses
    ]
    passage = tokenizer.encode("Ba do\nke limu.")
    models = (random_model(model.config, seed=2), random_model(model.config, seed=1), model)
    snapshots = [
        take_snapshot(each, tokenizer, passage, row.step)
        for each, row in zip(models, record, strict=True)
    ]
    parts = (model, tokenizer, record, training)
    checkpoint.save(folder, Checkpoint(*parts, snapshots=stack(snapshots, passage)))
    return folder


@pytest.fixture(scope="session")
def checkpoint_with_history(
    checkpoint_with_snapshots: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The checkpoint with three snapshots, its head scores and their history.

    In layer 1, heads 1 and 2 become previous-character heads. In layer 2, head 3 gets the largest
    effect.
    """
    loaded = checkpoint.load(checkpoint_with_snapshots)
    assert loaded.snapshots is not None
    ids = loaded.snapshots.passage.tolist()
    scores = text_scores(attention_maps(loaded.model, ids).weights, ids, loaded.tokenizer)
    history = []
    for at, level in enumerate((0.1, 0.2, 0.6), start=1):
        tables = {name: torch.zeros(2, 3) for name in scores.scores}
        tables["previous"] = torch.full((2, 3), 0.05)
        tables["previous"][0, :2] = level
        change = torch.zeros(2, 3)
        change[1, 2] = at / 100
        history.append(dataclasses.replace(scores, scores=tables, ablation=Ablation(10, change)))
    parts = {"head_scores": history[-1], "snapshot_scores": SnapshotScores([0, 10, 20], history)}
    folder = tmp_path_factory.mktemp("checkpoint") / "history"
    checkpoint.save(folder, dataclasses.replace(loaded, **parts))
    return folder


@pytest.fixture(scope="session")
def optional_parts(tiny_config: GPTConfig) -> dict[str, Any]:
    """The optional parts of a checkpoint of the small model."""
    vocab, layers, heads = tiny_config.vocab_size, tiny_config.n_layer, tiny_config.n_head
    table = torch.full((vocab, vocab), 1 / vocab).log()
    losses = dict.fromkeys(("uniform", "unigram", "bigram"), 3.2)
    generator = np.random.default_rng(0)
    ones = torch.ones(layers, heads)
    # Every head attends to the query itself.
    scores = HeadScores(
        positions=15,
        counts={name: 15 if name == "itself" else 0 for name in PATTERNS},
        uniform={"itself": 0.25},
        scores={"itself": ones},
        entropy=0 * ones,
        distance=0 * ones,
    )
    return {
        "baselines": Baselines(table[0], table, losses),
        "snapshots": Snapshots(
            steps=np.array([0, 20]),
            passage=generator.integers(vocab, size=5),
            maps=generator.integers(256, size=(2, layers, heads, 5, 5)),
            probs=generator.dirichlet(np.ones(vocab), size=(2, 5)),
            samples=generator.integers(vocab, size=(2, 9)),
        ),
        "head_scores": scores,
        "snapshot_scores": SnapshotScores([0, 20], [scores, scores]),
        "context_losses": ContextLosses([0, 1, 2, 3], [1, 2], torch.ones(2, 2)),
    }


@pytest.fixture
def full_checkpoint(
    model: GPT,
    tokenizer: CharTokenizer,
    loss_record: list[LossRow],
    training: Training,
    optional_parts: dict[str, Any],
    tmp_path: Path,
) -> Path:
    """A saved checkpoint of the small model with every optional file; a test may change it."""
    folder = tmp_path / "full"
    checkpoint.save(folder, Checkpoint(model, tokenizer, loss_record, training, **optional_parts))
    return folder
