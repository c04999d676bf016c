"""Configurations of a model and of its training: frozen dataclasses that check their values."""

import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

from microgpt.errors import MicroGPTError
from microgpt.formats import Document, ignorable_fields


class ConfigError(MicroGPTError):
    """A setting is missing, unknown, of the wrong type or outside its limits."""


# Lowest and highest accepted value of each number, both included.
MODEL_LIMITS: dict[str, tuple[float, float]] = {
    "vocab_size": (1, 4096),
    "block_size": (1, 4096),
    "source_size": (1, 4096),
    "n_layer": (1, 48),
    "n_head": (1, 64),
    "n_embd": (1, 2048),
    "mlp_ratio": (1, 16),
    "dropout": (0.0, 0.9),
}
TRAIN_LIMITS: dict[str, tuple[float, float]] = {
    "rare": (0, 1_000_000),
    "snapshot_count": (2, 200),
    "seed": (0, 2**63 - 1),
    "steps": (1, 10_000_000),
    "batch_size": (1, 65_536),
    "learning_rate": (0.0, 10.0),
    "muon_learning_rate": (0.0, 10.0),
    "weight_decay": (0.0, 10.0),
    "warmup_steps": (0, 10_000_000),
    "decay_fraction": (0.0, 1.0),
    "grad_clip": (0.0, 1e6),
    "ema_decay": (0.0, 0.99999),
    "log_interval": (1, 10_000_000),
    "eval_interval": (1, 10_000_000),
    "eval_batches": (1, 100_000),
}
NORMS = ("none", "blocks", "all")
# The activation functions of the MLP, with their names for display.
ACTIVATIONS = {"relu": "ReLU", "gelu": "GELU", "gelu_tanh": "GELU (tanh)"}
SCORE_SCALES = ("head_size", "n_embd")
# The fields of GPTConfig for models that were trained with other code.
OPTIONS_OF_OTHER_CODE = (
    *("activation", "score_scale", "tied"),
    *("norm_bias", "qkv_bias", "linear_bias", "head_bias"),
)
INITS = ("pytorch", "small")
OPTIMIZERS = ("adamw", "muon")
PRECISIONS = ("float32", "bfloat16")
TASKS = ("text", "repeats", "dates")
# A number without limits of its own must be finite.
_FINITE = (-1e308, 1e308)


@dataclass(frozen=True)
class CheckedConfig:
    """Base class of a frozen dataclass that checks its fields and converts from and to a dict.

    _noun: what a message calls such a config. _limits: the accepted range of each number. _choices:
    the accepted values of a text field. _format_1: the fields of format 1, which every file has.
    Later fields need a default.
    """

    _noun: ClassVar[str]
    _limits: ClassVar[Mapping[str, tuple[float, float]]]
    _choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    _format_1: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            self._check(field.name, field.type)

    def _check(self, name: str, kind: Any) -> None:
        value = getattr(self, name)
        shown = reprlib.repr(value)
        if name in self._choices:
            if value not in self._choices[name]:
                allowed = " or ".join(self._choices[name])
                raise ConfigError(f"{name} is {shown}; it must be {allowed}")
        elif kind in (bool, str):
            if not isinstance(value, kind):
                wanted = "true or false" if kind is bool else "text"
                raise ConfigError(f"{name} is {shown}; it must be {wanted}")
        else:
            whole = kind is int
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                wanted = "a whole number" if whole else "a number"
                raise ConfigError(f"{name} is {shown}; it must be {wanted}")
            low, high = self._limits.get(name, _FINITE)
            if not low <= value <= high:  # also refuses NaN and infinity
                raise ConfigError(f"{name} is {shown}; it must be between {low} and {high}")

    @classmethod
    def from_dict(cls, values: Any, document: Document | None = None) -> Self:
        """Make a config from an object read from JSON; document is the file that it was read from.

        A missing setting gets its default if it was added after format 1. Raises FormatError for
        an unknown setting, and ConfigError for anything else that is wrong.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(f"{cls._noun} must be a JSON object")
        document = document or Document(cls.__name__, values)
        found = document.known(values, [field.name for field in fields(cls)], "setting")
        if missing := sorted(set(cls._format_1) - set(found)):
            raise ConfigError(f"{missing[0]!r} is missing in {cls._noun}")
        return cls(**found)

    def ignorable(self) -> set[str]:
        """The names of the settings that an older program may ignore."""
        return ignorable_fields(self, self._format_1)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class GPTConfig(CheckedConfig):
    """The shape of a model.

    vocab_size: characters in the vocabulary (V). block_size: context window (T). n_layer: blocks
    (L). n_head: heads per block (H). n_embd: channels (C), a multiple of n_head. mlp_ratio: width
    of the MLP, in multiples of C. dropout: a probability, used in training only. residual: whether
    blocks have residual connections. norm: LayerNorm nowhere (`none`), in the blocks (`blocks`), or
    also before the head (`all`). The phase presets use residual and norm to leave parts out.

    The other options describe models that were trained with other code. activation: of the MLP,
    `gelu_tanh` is the approximation of GPT-2. score_scale: the size by whose square root the
    attention scores are divided. tied: whether the head has the weight of the token embedding.
    norm_bias, qkv_bias, linear_bias, head_bias: whether there are biases in the LayerNorms, on
    queries, keys and values, in the other linear layers of the blocks, and in the head.

    Raises ConfigError for a value outside MODEL_LIMITS, or if n_embd is not a multiple of n_head.
    """

    _noun = "the shape of the model"
    _limits = MODEL_LIMITS
    _choices: ClassVar = {
        "norm": NORMS,
        "activation": tuple(ACTIVATIONS),
        "score_scale": SCORE_SCALES,
    }
    _format_1 = (
        *("vocab_size", "block_size", "n_layer", "n_head", "n_embd"),
        *("mlp_ratio", "residual", "norm", "dropout"),
    )

    vocab_size: int = 65
    block_size: int = 256
    n_layer: int = 6
    n_head: int = 6
    n_embd: int = 384
    mlp_ratio: int = 4
    residual: bool = True
    norm: str = "all"
    dropout: float = 0.2
    activation: str = "relu"
    score_scale: str = "head_size"
    tied: bool = False
    norm_bias: bool = True
    qkv_bias: bool = False
    linear_bias: bool = True
    head_bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_embd % self.n_head:
            raise ConfigError(
                f"n_embd is {self.n_embd}; it must be a multiple of n_head, {self.n_head}"
            )

    @property
    def head_size(self) -> int:
        return self.n_embd // self.n_head

    @property
    def score_divisor(self) -> int:
        """The number whose square root divides the scores of the attention."""
        return self.n_embd if self.score_scale == "n_embd" else self.head_size


@dataclass(frozen=True)
class EncoderDecoderConfig(GPTConfig):
    """The shape of an encoder–decoder: two stacks, each of n_layer blocks.

    source_size: the longest text that the encoder reads. block_size: the longest text that the
    decoder writes. The other fields mean what they mean for a GPT.

    Raises ConfigError as GPTConfig does, and if a field that only a GPT can change differs
    from its default.
    """

    _limits = MODEL_LIMITS

    source_size: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("residual", "norm", *OPTIONS_OF_OTHER_CODE):
            value = getattr(type(self), name)
            if getattr(self, name) != value:
                shown = str(value).lower()
                raise ConfigError(f"{name} of an encoder–decoder is always {shown}; leave it out")


def model_config(values: Any, document: Document | None = None) -> GPTConfig:
    """Make the config of either kind of model; that of an encoder–decoder has source_size.

    Raises as CheckedConfig.from_dict does.
    """
    pairs = isinstance(values, Mapping) and "source_size" in values
    return (EncoderDecoderConfig if pairs else GPTConfig).from_dict(values, document)


@dataclass(frozen=True)
class TrainConfig(CheckedConfig):
    """The training settings; a step is one optimizer update on batch_size windows.

    init: `pytorch` for PyTorch's default initialisation, `small` for GPT.init_small. optimizer: a
    key of MAKERS in training/optim.py. learning_rate and muon_learning_rate: the peak rates of
    AdamW and of Muon; both rise linearly over warmup_steps and fall linearly to 0 over the last
    decay_fraction of the steps. grad_clip: largest norm of the gradient, 0 for no clipping.
    ema_decay: decay of the EMA of the weights, 0 for no EMA. precision: that of the matrix
    products. Losses are estimated every eval_interval steps, over eval_batches batches of each
    split. The batch loss is recorded every log_interval steps. rare: characters that occur fewer
    times than this in the text are replaced by U+FFFD; 0 for none. task: `text` for a text that the
    caller passes, or a key of MAKERS in tasks.py, which makes the text from the seed.
    snapshot_count: the largest number of snapshots; they are denser at the start of the run.

    Raises ConfigError for a value outside TRAIN_LIMITS.
    """

    _noun = "the training settings"
    _limits = TRAIN_LIMITS
    _choices: ClassVar = {
        "init": INITS,
        "optimizer": OPTIMIZERS,
        "precision": PRECISIONS,
        "task": TASKS,
    }
    _format_1 = (
        *("seed", "steps", "batch_size", "init", "optimizer", "learning_rate"),
        *("muon_learning_rate", "weight_decay", "warmup_steps", "decay_fraction", "grad_clip"),
        *("ema_decay", "precision", "log_interval", "eval_interval", "eval_batches"),
    )

    seed: int = 1337
    steps: int = 5000
    batch_size: int = 64
    init: str = "pytorch"
    optimizer: str = "adamw"
    learning_rate: float = 3e-4
    muon_learning_rate: float = 0.02
    weight_decay: float = 0.01
    warmup_steps: int = 0
    decay_fraction: float = 0.0
    grad_clip: float = 0.0
    ema_decay: float = 0.0
    precision: str = "float32"
    log_interval: int = 10
    eval_interval: int = 500
    eval_batches: int = 200
    rare: int = 0
    task: str = "text"
    snapshot_count: int = 14
