"""Prepare a training run: its text as ids, its settings, and its new or restored state."""

import dataclasses
import hashlib
from collections.abc import Callable
from functools import cached_property

import torch

from microgpt.analysis import baselines
from microgpt.analysis.baselines import Baselines
from microgpt.checkpoint import loss_record
from microgpt.checkpoint.limits import check_evaluations, check_model
from microgpt.config import EncoderDecoderConfig, GPTConfig, TrainConfig
from microgpt.data import DataError, Splits, known_characters, split
from microgpt.model import GPT
from microgpt.pairs import PairSplits, split_pairs, too_small
from microgpt.tasks import MAKERS, task_text
from microgpt.tokenizer import CharTokenizer
from microgpt.training import distributed
from microgpt.training.folder import RunFolder
from microgpt.training.loop import TrainError
from microgpt.training.settings import RunSettings
from microgpt.training.snapshots import (
    earlier_passage_ids,
    nearest,
    passage_ids,
    snapshot_steps,
)
from microgpt.training.state import TrainState


@dataclasses.dataclass
class Run:
    """A run that is ready to train: its text as ids, its state and its paths."""

    files: RunFolder
    config: TrainConfig
    tokenizer: CharTokenizer
    splits: Splits | PairSplits
    data_sha256: str
    settings: RunSettings
    state: TrainState
    device: torch.device

    @property
    def gpt(self) -> GPT:
        """The model that would be saved now, in the run of a GPT."""
        assert isinstance(self.state.result, GPT)
        return self.state.result

    @property
    def text(self) -> Splits:
        """The splits of the text of a GPT."""
        assert isinstance(self.splits, Splits)
        return self.splits

    @cached_property
    def baselines(self) -> Baselines:
        """The baselines of the text, fitted when they are first used."""
        return baselines.fit(self.text, self.tokenizer.vocab_size, self.config.seed)


def prepare(
    text: str | None,
    model_config: GPTConfig,
    config: TrainConfig,
    files: RunFolder,
    device: torch.device,
) -> Run:
    """Make a run at step 0 from its text. Raises as train_checkpoint does."""
    if config.batch_size % distributed.world_size():
        raise TrainError(
            f"batch_size is {config.batch_size}; "
            f"it must be a multiple of the {distributed.world_size()} processes"
        )
    if text is not None and config.task != "text":
        raise DataError(
            f"the task {config.task} makes its own text; leave out --data, or pass --task text"
        )
    text = task_text(config) if text is None else text
    if text is None:
        raise DataError("there is no text to train on; pass one, or a task")
    if not text:
        raise DataError("the text is empty; choose another with --data FILE")
    digest = hashlib.sha256(text.encode()).hexdigest()  # equals the SHA-256 of the file
    text = known_characters(text, config.rare)
    tokenizer = CharTokenizer.from_text(text)
    model_config = dataclasses.replace(model_config, vocab_size=tokenizer.vocab_size)
    check_model(model_config)
    splits: Splits | PairSplits
    if isinstance(model_config, EncoderDecoderConfig):
        pairs = _pair_splits(text, tokenizer, model_config, config)
        splits, passage = PairSplits(*(part.to(device) for part in pairs)), []
    else:
        if MAKERS.get(config.task, MAKERS["repeats"]).is_held_out:
            raise DataError(
                f"the task {config.task} has pairs of texts, which a GPT cannot learn; pass "
                f"--preset {config.task}"
            )
        parts = split(tokenizer.encode(text), model_config.block_size)
        count = config.snapshot_count
        passage = passage_ids(tokenizer, parts.val, model_config, digest, count)
        splits = Splits(*(part.to(device) for part in parts))
    settings = RunSettings(model_config, config, digest)
    state = TrainState.create(model_config, config, device)
    _check_evaluations(state, config)
    state.passage = passage
    return Run(files, config, tokenizer, splits, digest, settings, state, device)


def _pair_splits(
    text: str, tokenizer: CharTokenizer, model_config: EncoderDecoderConfig, config: TrainConfig
) -> PairSplits:
    """The pairs of a task for an encoder–decoder. Raises DataError."""
    task = MAKERS.get(config.task)
    if task is None or task.is_held_out is None:
        raise DataError(
            "an encoder–decoder learns pairs of texts, which only the task dates makes; pass "
            "--task dates, or another --preset"
        )
    splits = split_pairs(tokenizer, text, task.is_held_out)
    if problem := too_small(model_config, splits.train):
        raise DataError(f"{problem}; raise it with --set")
    return splits


def begin(run: Run, resume: bool, note: Callable[[str], object]) -> None:
    """Restore the saved state if the run resumes it, and write the loss record so far."""
    state = run.state
    if resume:
        state.restore(run.files.state, run.settings)
        _check_evaluations(state, run.config)
        if not state.passage and isinstance(run.splits, Splits):
            length = state.snapshots[0].maps.size(-1)
            val = run.splits.val.cpu()
            state.passage = earlier_passage_ids(run.tokenizer, val, length)
        steps = snapshot_steps(run.config.steps, run.config.snapshot_count)
        state.snapshots = nearest(state.snapshots, steps, state.step)
    if distributed.rank() == 0:
        if state.changes:
            note(f"changed settings: {state.changes}")
        loss_record.write(run.files.loss_record, state.rows)


def _check_evaluations(state: TrainState, config: TrainConfig) -> None:
    """Raise CheckpointError if the record would not hold the estimates of the rest of the run."""
    made = sum(row.val_loss is not None for row in state.rows)
    left = (config.steps - state.step) // config.eval_interval
    check_evaluations(made + left + config.snapshot_count)
