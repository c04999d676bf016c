"""Load a checkpoint folder; its content is untrusted."""

import reprlib
from collections.abc import Mapping
from pathlib import Path

from microgpt import atomic
from microgpt.checkpoint.folder import (
    ARCHITECTURE,
    CONFIG,
    CONFIG_FIELDS,
    FILES,
    GPT_KIND,
    HASHED,
    LOSS_RECORD,
    OPTIONAL,
    PAIR_KIND,
    TOKENIZER,
    WEIGHTS,
    AnyCheckpoint,
    Checkpoint,
    CheckpointError,
    Origin,
    PairCheckpoint,
    check_size,
    read_file,
)
from microgpt.checkpoint.loss_record import LossRecordError, from_csv
from microgpt.checkpoint.optional_files import read_optional
from microgpt.checkpoint.provenance import Training
from microgpt.checkpoint.weights import assign_weights, read_weights
from microgpt.config import ConfigError, EncoderDecoderConfig, GPTConfig
from microgpt.encoder_decoder import EncoderDecoder, model_for
from microgpt.formats import FormatError, decode, read_json
from microgpt.model import GPT, on_meta
from microgpt.pairs import END, START
from microgpt.tokenizer import CharTokenizer, TokenizerError

# The shape of a model of each kind.
_KINDS: dict[object, type[GPTConfig]] = {GPT_KIND: GPTConfig, PAIR_KIND: EncoderDecoderConfig}
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def check_files(folder: str | Path) -> None:
    """Raise CheckpointError if a required file is missing or too large."""
    folder = Path(folder)
    atomic.put_back(folder)
    if not folder.is_dir():
        raise CheckpointError(
            f"there is no checkpoint folder at {folder}",
            f"there is no checkpoint folder {Origin('folder', str(folder)).short_name!r}",
        )
    for name, limit in FILES.items():
        path = folder / name
        if not path.is_file():
            pickles = [p.name for p in folder.iterdir() if p.suffix in _PICKLES]
            if name == WEIGHTS and pickles:
                raise CheckpointError(
                    f"the weights are in {pickles[0]}, a pickle, which can run code when loaded; "
                    f"save them as {WEIGHTS}"
                )
            raise CheckpointError(f"not a microGPT checkpoint: {name} is missing")
        check_size(path, limit)


def files_in(folder: str | Path, hashes: Mapping[str, str]) -> list[str]:
    """The names of a checkpoint's files: the required ones and the optional ones that exist.

    An optional file without a hash does not belong to the checkpoint.
    """
    optional = [name for name in OPTIONAL if name in hashes and Path(folder, name).is_file()]
    return [*FILES, *optional]


def read_config(folder: str | Path) -> tuple[GPTConfig, Training, dict[str, str]]:
    """Read config.json: the model's shape, its training and the SHA-256 of the other files.

    Raises CheckpointError.
    """
    try:
        document = read_json(CONFIG, Path(folder, CONFIG).read_bytes())
        values = document.values
        if values.get("architecture") != ARCHITECTURE:
            raise CheckpointError(f'not a microGPT checkpoint: {CONFIG} does not say "microGPT"')
        document.known(values, CONFIG_FIELDS)
        training = Training.from_dict(values.get("training"), document)
        kind = values.get("kind", GPT_KIND)
        if not isinstance(kind, str) or kind not in _KINDS:
            raise CheckpointError(
                f"{CONFIG} has the kind {reprlib.repr(kind)}, which this version of microGPT does "
                "not know; update microGPT"
            )
        config = _KINDS[kind].from_dict(values.get("model"), document)
        hashes = values.get("sha256")
        if not isinstance(hashes, dict) or not set(hashes) >= set(HASHED):
            raise CheckpointError(f"{CONFIG} must hold the SHA-256 of {', '.join(HASHED)}")
        return config, training, document.known(hashes, (*HASHED, *OPTIONAL), "file")
    except ConfigError as error:
        raise CheckpointError(f"{CONFIG}: {error}") from error
    except FormatError as error:
        raise CheckpointError(str(error)) from error
    except OSError as error:
        raise CheckpointError(f"{CONFIG} cannot be read: {error.strerror}") from error


def _read_text(folder: Path, name: str, hashes: dict[str, str]) -> str:
    try:
        return decode(name, read_file(folder, name, hashes))
    except FormatError as error:
        raise CheckpointError(str(error)) from error


def load(folder: str | Path, origin: Origin | None = None, strict: bool = False) -> Checkpoint:
    """Load a checkpoint folder with a GPT, as load_any does.

    Raises CheckpointError, for an encoder–decoder too.
    """
    return as_gpt(load_any(folder, origin, strict))


def as_gpt(loaded: AnyCheckpoint) -> Checkpoint:
    """The same checkpoint if it holds a GPT. Raises CheckpointError."""
    if not isinstance(loaded, Checkpoint):
        raise CheckpointError(
            "this checkpoint is an encoder–decoder, not a GPT; the page Cross-attention and the "
            "command `microgpt translate` open it"
        )
    return loaded


def load_pairs(
    folder: str | Path, origin: Origin | None = None, strict: bool = False
) -> PairCheckpoint:
    """Load a checkpoint folder with an encoder–decoder, as load_any does.

    Raises CheckpointError, for a GPT too.
    """
    loaded = load_any(folder, origin, strict)
    if not isinstance(loaded, PairCheckpoint):
        raise CheckpointError(
            "this checkpoint is a GPT, which has no cross-attention; choose an encoder–decoder, or "
            "train one with `microgpt train --task dates`"
        )
    return loaded


def load_any(
    folder: str | Path, origin: Origin | None = None, strict: bool = False
) -> AnyCheckpoint:
    """Load a checkpoint folder with either kind of model: a Checkpoint or a PairCheckpoint.

    Sizes, shapes and hashes are checked first.

    origin: the source of the folder, by default the folder itself. strict: raise for an optional
    file that cannot be used; otherwise the file is treated as absent, and the notes say why. Raises
    CheckpointError.
    """
    folder = Path(folder)
    check_files(folder)
    config, training, hashes = read_config(folder)
    try:
        tokenizer = CharTokenizer.from_json(_read_text(folder, TOKENIZER, hashes))
        record = from_csv(_read_text(folder, LOSS_RECORD, hashes))
    except (TokenizerError, LossRecordError) as error:
        raise CheckpointError(str(error)) from error
    if tokenizer.vocab_size != config.vocab_size:
        raise CheckpointError(
            f"the vocabulary has {tokenizer.vocab_size} characters but the model was made for "
            f"{config.vocab_size}"
        )
    if isinstance(config, EncoderDecoderConfig) and tokenizer.unknown(START + END):
        raise CheckpointError(
            "the vocabulary of this encoder–decoder lacks the tab or the newline, with which every "
            "target begins and ends; choose another checkpoint"
        )
    model = on_meta(lambda: model_for(config))
    assign_weights(model, read_weights(folder, model, hashes))
    model.eval().requires_grad_(False)
    parts, notes = read_optional(folder, config, hashes, strict)
    parts |= {
        "weights_sha256": hashes[WEIGHTS],
        "origin": origin or Origin("folder", str(folder)),
        "notes": tuple(notes),
    }
    if isinstance(model, EncoderDecoder):
        return PairCheckpoint(model, tokenizer, record, training, **parts)
    assert isinstance(model, GPT)
    return Checkpoint(model, tokenizer, record, training, **parts)
