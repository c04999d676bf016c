"""The model card of a checkpoint, generated from its measurements."""

import math

from microgpt.analysis.words import LENGTH, TEMPERATURE, TEXTS
from microgpt.checkpoint.folder import Checkpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.provenance import UNKNOWN_COMMIT, Training
from microgpt.checkpoint.throughput import characters_per_second, estimate_mfu
from microgpt.config import GPTConfig, TrainConfig
from microgpt.model import without_weights


def render(checkpoint: Checkpoint) -> str:
    """Return the README.md of a checkpoint folder: YAML metadata for the Hub, then Markdown.

    The strings in `checkpoint.training` may hold anything. They are written as Markdown code, so
    that no markup in them takes effect.
    """
    config, training, record = checkpoint.config, checkpoint.training, checkpoint.loss_record
    shakespeare = training.on_tiny_shakespeare
    return f"""\
{_metadata(training, shakespeare)}# microGPT

{_model(config, training.config, shakespeare)}

## Intended use and limits

{_limits(config, shakespeare)}

## Data

{_data(training, shakespeare)}

## Training

{_procedure(config, training)}

## Results

{_results(training, record)}

## How to use it

{_usage(shakespeare)}

## Licence

{_licence(shakespeare)}
"""


def _one_line(text: str) -> str:
    """Put untrusted text on one line, without control characters or lone surrogates."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _code(text: str) -> str:
    """Write untrusted text as a Markdown code span; a pipe in it would break a table row."""
    return "`" + (_one_line(text).replace("`", "'") or "unknown") + "`"


def _metadata(training: Training, shakespeare: bool) -> str:
    """Return the block of YAML metadata, or "" if the client of the Hub is not installed.

    Training can save a checkpoint on such a machine too.
    Format: huggingface.co/docs/hub/model-cards.
    """
    try:
        # Imported here so that loading a checkpoint does not need the client.
        from huggingface_hub import EvalResult, ModelCardData
    except ImportError:
        return ""
    name = "Tiny Shakespeare" if shakespeare else _one_line(training.data)
    results = None
    if training.val_loss_full is not None:
        results = [
            EvalResult(
                task_type="text-generation",
                dataset_type="tiny_shakespeare" if shakespeare else "text",
                dataset_name=f"{name}, last 10 %",
                metric_type="loss",
                metric_name="Validation loss, nats per character",
                metric_value=training.val_loss_full,
            )
        ]
    data = ModelCardData(
        language="en" if shakespeare else None,
        license="mit" if shakespeare else None,
        library_name="pytorch",
        pipeline_tag="text-generation",
        tags=["microgpt", "gpt", "character-level", "from-scratch"],
        model_name="microGPT" if results else None,
        eval_results=results,
    )
    return f"---\n{data.to_yaml()}\n---\n\n"


def _model(config: GPTConfig, recipe: TrainConfig, shakespeare: bool) -> str:
    parameters = without_weights(config).parameter_count()
    language = "verse in the manner of Shakespeare" if shakespeare else "text"
    pre_norm = "" if config.norm == "none" else "pre-norm "
    final_norm = "a final LayerNorm " if config.norm == "all" else ""
    count, start = "two", ""
    if recipe.init == "small":
        count = "three"
        zeros = " and the projections into the residual stream with zeros,"
        start = f"""\
weights are initialised from N(0, 0.02²),{zeros if config.residual else ""}
not with PyTorch's defaults; """
    return f"""\
A GPT of {parameters:,} parameters, written and trained from scratch, that writes
{language}, one character at a time: token and learned position embeddings,
{config.n_layer} {pre_norm}blocks of {config.n_head} attention heads and a ReLU MLP over
{config.n_embd} channels, {final_norm}and an untied linear head.{_missing(config)}
It sees at most {config.block_size} characters of context and knows {config.vocab_size} different
characters. The weights are float16.

It follows [microGPT by TejasKalsait](https://github.com/TejasKalsait/microGPT). Apart from the
settings below, {count} things differ: attention scores are scaled by head_size^-0.5 (Vaswani et
al., 2017), not n_embd^-0.5; {start}weight decay applies to matrices only, not to
biases and LayerNorms."""


def _missing(config: GPTConfig) -> str:
    """A sentence that names the usual parts of a GPT that this model lacks; "" if it has all."""
    norm = {"none": ["LayerNorm"], "blocks": ["LayerNorm before the head"], "all": []}[config.norm]
    parts = ([] if config.residual else ["residual connections"]) + norm
    return f" It has no {' and no '.join(parts)}." if parts else ""


def _limits(config: GPTConfig, shakespeare: bool) -> str:
    corpus = "the English of Shakespeare's plays" if shakespeare else "the text it was trained on"
    return f"""\
This model is for learning how a transformer is trained, how it samples and what it attends to. It
knows only {corpus}, and only the {config.vocab_size} characters in
`tokenizer.json`. Its text imitates the style of the corpus. The text seldom makes sense, states no
facts, may repeat lines of the corpus word for word, and reflects the views in the corpus. The
model does not follow instructions."""


def _data(training: Training, shakespeare: bool) -> str:
    name = _code(training.data)
    if shakespeare:
        name = (
            "Tiny Shakespeare, 1,115,394 characters of Shakespeare's plays (public domain) from "
            "Karpathy's\n[char-rnn](https://github.com/karpathy/char-rnn)"
        )
    return f"""\
{name}; SHA-256 {_code(training.data_sha256)}.
The first 90 % of the text is for training, the last 10 % for validation."""


def _procedure(model: GPTConfig, training: Training) -> str:
    config = training.config
    settings = model.to_dict() | config.to_dict()
    rows = "\n".join(f"| {name} | {value} |" for name, value in settings.items())
    more = ""
    if (share := estimate_mfu(model, training)) is not None:
        more += f"""
That is {characters_per_second(training):,.0f} characters/s, and {share:.1%} of the speed of large
matrix products on that machine (MFU)."""
    if training.commit != UNKNOWN_COMMIT:
        more += f"\nThe code is that of commit {_code(training.commit)}."
    if training.changes:
        more += f"""\n
The run was resumed with other settings; the table holds the last ones. Changed
{_code(training.changes)}."""
    return f"""\
    {_one_line(training.command)}

Preset {_code(training.preset)}, finished {_code(training.finished)} after {training.steps:,} of
{config.steps:,} steps: {training.tokens:,} characters in {training.seconds:,.0f} s without
evaluations, on {_code(training.hardware)} with PyTorch {_code(training.torch)}.{more}

| setting | value |
| --- | --- |
{rows}"""


def _results(training: Training, record: list[LossRow]) -> str:
    loss, config = training.val_loss_full, training.config
    if loss is None and training.steps < config.steps:
        measured = f"""\
`val_loss_full` is not measured: the run was interrupted after {training.steps:,} of
{config.steps:,} steps."""
    elif loss is None:
        measured = """\
`val_loss_full` is not measured. This command measures it:

    python -m microgpt evaluate --checkpoint DIR --data FILE"""
    else:
        measured = f"""\
| `val_loss_full`, every window of the validation text | value |
| --- | --- |
| loss, nats per character | {loss:.4f} |
| bits per character | {loss / math.log(2):.3f} |

    python -m microgpt evaluate --checkpoint DIR --data FILE"""
    estimated = [row for row in record if row.train_loss is not None and row.val_loss is not None]
    if estimated:
        last = estimated[-1]
        measured += f"""

The last estimate during training, at step {last.step:,}, over {config.eval_batches:,} random
batches of {config.batch_size:,} windows of each split: training {last.train_loss:.4f}, validation
{last.val_loss:.4f} nats per character. `loss_record.csv` holds every estimate."""
    if training.word_share is not None:
        measured += f"""

Of the words that the model writes at temperature {TEMPERATURE}, {training.word_share:.1%} occur in
the corpus (over {TEXTS * LENGTH:,} characters, without regard to case).

    python -m microgpt evaluate --checkpoint DIR --data FILE --words"""
    return measured


def _usage(shakespeare: bool) -> str:
    prompt = '"QUEEN:"' if shakespeare else "TEXT"
    return f"""\
With the code of microGPT, and DIR this folder or its `USER/NAME` on the Hub:

    python -m microgpt generate --checkpoint DIR --prompt {prompt} --tokens 500

To open it in the web app, which shows its attention heads and its loss record:

    MICROGPT_REPO=USER/NAME streamlit run app.py"""


def _licence(shakespeare: bool) -> str:
    if shakespeare:
        return "MIT, code and weights."
    return """\
The code is MIT. Whoever trained these weights states their licence, here and as `license` in the
metadata above."""
