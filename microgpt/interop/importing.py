"""Import a model that was trained with other code, as a checkpoint of ours."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import Tensor

from microgpt.checkpoint import Checkpoint, sha256
from microgpt.checkpoint.provenance import Training, code_commit, storable
from microgpt.config import SCORE_SCALES, TrainConfig
from microgpt.interop import InteropError
from microgpt.interop.assemble import Choices, Found, assemble, in_order
from microgpt.interop.state_dicts import GPT2, LECTURE, OLD_MINGPT, heads_of_lecture, renamed
from microgpt.interop.torch_file import is_plain, read_torch, tensors_of
from microgpt.interop.vocabulary import check_size, read_vocabulary, vocabulary_of
from microgpt.tokenizer import CharTokenizer

# The settings of a nanoGPT model, in `model_args` of its ckpt.pt.
_NANOGPT_ARGS = ("n_layer", "n_head", "n_embd", "block_size", "bias", "vocab_size", "dropout")
_MAX_STEPS = 2**62


def import_nanogpt(path: Path, choices: Choices) -> Found:
    """Read ckpt.pt of nanoGPT, or the state dict of its model. Raises InteropError."""
    values, weights = _opened(path)
    args = values.get("model_args")
    args = args if isinstance(args, Mapping) else {}
    for name, value in args.items():
        # A tensor counts as a setting that is on; its truth value may be undefined.
        if name not in _NANOGPT_ARGS and (isinstance(value, Tensor) or value):
            raise InteropError(
                f"{path.name} was made by a variant of nanoGPT with the setting {str(name)[:60]!r},"
                " which nanoGPT and microGPT do not have"
            )
    model = assemble(
        renamed(weights, GPT2),
        _heads(choices, args.get("n_head")),
        activation="gelu",
        score_scale=choices.score_scale or "head_size",
        dropout=_number(args.get("dropout")) or 0.0,
    )
    config = values.get("config")
    config = config if isinstance(config, Mapping) else {}
    steps = int(_number(values.get("iter_num")) or 0)
    batch = (_number(config.get("batch_size")) or 0) * (
        _number(config.get("gradient_accumulation_steps")) or 1
    )
    about = f"nanoGPT's {path.name}"
    if steps:
        about += f", {steps:,} iterations"
    best = _number(values.get("best_val_loss"))
    if best is not None and best < 1e6:  # it starts at a billion
        about += f", lowest validation loss that nanoGPT estimated {best:.4f}"
    data = config.get("dataset")
    return Found(
        model,
        about=about,
        steps=steps,
        tokens=min(_MAX_STEPS, int(steps * batch * model.config.block_size)),
        data=data if isinstance(data, str) else "",
    )


def import_mingpt(path: Path, choices: Choices) -> Found:
    """Read the state dict of a minGPT model. Raises InteropError."""
    values, weights = _opened(path)
    if "model_args" in values:
        raise InteropError(
            f"{path.name} was saved by nanoGPT, whose activation function differs from minGPT's: "
            "import it as nanogpt"
        )
    old = "tok_emb.weight" in weights
    found = renamed(weights, OLD_MINGPT if old else GPT2)
    if old:
        name = OLD_MINGPT["pos_emb"]
        found[name] = _of_batch(found.get(name), path.name)
    model = assemble(
        found,
        _heads(choices, None),
        activation="gelu" if old else "gelu_tanh",
        score_scale=choices.score_scale or "head_size",
    )
    return Found(model, about=f"minGPT's {path.name}")


def import_lecture(path: Path, choices: Choices) -> Found:
    """Read the state dict of a model of ng-video-lecture. Raises InteropError."""
    _, weights = _opened(path)
    if choices.score_scale is None:
        raise InteropError(
            "the code of the lecture exists in two versions, which the weights do not tell apart: "
            "pass --score-scale head_size if Head.forward has k.shape[-1]**-0.5, or n_embd if it "
            "has C**-0.5"
        )
    model = assemble(
        renamed(weights, LECTURE),
        heads_of_lecture(weights) or 1,
        activation="relu",
        score_scale=choices.score_scale,
    )
    return Found(model, about=f"the state dict {path.name} of ng-video-lecture")


READERS: dict[str, Callable[[Path, Choices], Found]] = {
    "nanogpt": import_nanogpt,
    "mingpt": import_mingpt,
    "ng-video-lecture": import_lecture,
}


def import_model(program: str, path: str | Path, choices: Choices | None = None) -> Checkpoint:
    """A checkpoint from the file of another program; `checkpoint.save` writes it.

    program: a key of IMPORTS. path: its file; for transformers, a folder or a repo on the Hub. The
    checkpoint has no loss record, because other programs save none. Raises InteropError or another
    MicroGPTError for a file that is malformed or holds another model.
    """
    choices = choices or Choices()
    if program == "transformers":
        from microgpt.interop.gpt2 import import_transformers  # it loads the client of the Hub

        found = import_transformers(path, choices)
    else:
        found = READERS[program](Path(path), choices)
    return as_checkpoint(found, choices)


def as_checkpoint(found: Found, choices: Choices) -> Checkpoint:
    """Put together what was found and what the caller says. Raises InteropError."""
    if choices.score_scale not in (None, *SCORE_SCALES):
        raise InteropError(f"the score scale must be {' or '.join(SCORE_SCALES)}")
    characters, data, digest = found.characters, found.data, ""
    if choices.vocabulary is not None:
        characters = read_vocabulary(choices.vocabulary)
    elif characters is None and choices.data is not None:
        characters = vocabulary_of(choices.data)
    if choices.data is not None:
        data, digest = choices.data.name, sha256(choices.data)
    characters = check_size(found.model.config.vocab_size, characters)
    model, characters = in_order(found.model, characters)
    tokenizer = CharTokenizer(characters)
    if choices.data is not None:
        _check_text(choices.data, tokenizer)
    training = Training(
        config=TrainConfig(),
        preset="",
        command=choices.command,
        commit=code_commit(),
        data=storable(data) or "an unknown text",
        data_sha256=digest,
        steps=found.steps,
        tokens=found.tokens,
        seconds=0.0,
        matmul_flops=None,
        finished=datetime.now(UTC).date().isoformat(),
        hardware="unknown",
        torch="unknown",
        val_loss_full=None,
        imported=storable(found.about),
    )
    return Checkpoint(model, tokenizer, [], training)


def _check_text(data: Path, tokenizer: CharTokenizer) -> None:
    """Raise InteropError for a text that the model cannot have been trained on."""
    if unknown := tokenizer.unknown(tokenizer.fold(vocabulary_of(data))):
        raise InteropError(
            f"the model was not trained on {data.name}, which has {len(unknown):,} characters that "
            f"it does not know, such as {next(iter(unknown))!r}; pass the text that it was trained "
            "on, or leave out --data"
        )


def _opened(path: Path) -> tuple[dict[Any, Any], dict[str, Tensor]]:
    """The content of a file, and the state dict in it: under `model`, or the content itself."""
    values = read_torch(path)
    inner = values.get("model", values)
    return values, tensors_of(inner if isinstance(inner, dict) else {}, path.name)


def _of_batch(positions: Tensor | None, name: str) -> Tensor:
    """The position embedding of the old minGPT without its axis for the batch."""
    if positions is None or positions.ndim != 3 or len(positions) != 1:
        raise InteropError(f"{name} has no position embedding pos_emb of shape (1, T, C)")
    return positions[0]


def _heads(choices: Choices, saved: Any) -> int:
    n_head = _number(saved) if choices.n_head is None else choices.n_head
    if n_head is None:
        raise InteropError(
            "neither the file nor the weights say how many heads a block has; pass --heads N"
        )
    return int(n_head)


def _number(value: Any) -> float | None:
    """A number from a file, which may be a tensor; None if it is missing, negative or too large."""
    if isinstance(value, Tensor) and value.numel() == 1 and is_plain(value):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < _MAX_STEPS else None  # also refuses NaN
