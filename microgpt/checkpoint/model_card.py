"""The model card of a checkpoint, written from what was measured."""

import json
import math

import torch

from microgpt.checkpoint.folder import Checkpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.provenance import UNKNOWN_COMMIT, Training
from microgpt.checkpoint.throughput import characters_per_second, matmul_share
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import TINY_SHAKESPEARE_SHA256
from microgpt.model import GPT


def render(checkpoint: Checkpoint) -> str:
    """README.md of a checkpoint folder: the Hub's YAML metadata, then Markdown.

    Strings of its training may hold anything: they are shown as code, where no markup counts.
    """
    config, training, record = checkpoint.config, checkpoint.training, checkpoint.loss_record
    shakespeare = training.data_sha256 == TINY_SHAKESPEARE_SHA256
    return f"""\
---
{_metadata(training, shakespeare)}
---

# microGPT

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
    """Text from anywhere on one line, without control characters or broken Unicode."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _code(text: str) -> str:
    """Text from anywhere as a Markdown code span; not for tables, where a pipe would count."""
    return "`" + (_one_line(text).replace("`", "'") or "unknown") + "`"


def _metadata(training: Training, shakespeare: bool) -> str:
    """The lines of YAML metadata; JSON, being YAML too, does the quoting.

    Format: huggingface.co/docs/hub/model-cards.
    """
    name = "Tiny Shakespeare" if shakespeare else _one_line(training.data)
    values: dict[str, object] = {"language": "en", "license": "mit"} if shakespeare else {}
    values |= {
        "library_name": "pytorch",
        "pipeline_tag": "text-generation",
        "tags": ["microgpt", "gpt", "character-level", "from-scratch"],
    }
    if (loss := training.val_loss_full) is not None:
        result = {
            "task": {"type": "text-generation"},
            "dataset": {
                "type": "tiny_shakespeare" if shakespeare else "text",
                "name": f"{name}, last 10 %",
            },
            "metrics": [
                {"type": "loss", "name": "Validation loss, nats per character", "value": loss}
            ],
        }
        values["model-index"] = [{"name": "microGPT", "results": [result]}]
    return "\n".join(f"{key}: {json.dumps(v, ensure_ascii=False)}" for key, v in values.items())


def _model(config: GPTConfig, recipe: TrainConfig, shakespeare: bool) -> str:
    with torch.device("meta"):
        parameters = GPT(config).parameter_count()
    language = "verse in the manner of Shakespeare" if shakespeare else "text"
    count, start = "two", ""
    if recipe.init == "small":
        count = "three"
        start = """\
weights start from N(0, 0.02²), and those that write to the residual stream
from zero, not from PyTorch's defaults; """
    return f"""\
A GPT of {parameters:,} parameters, written and trained from scratch, that writes
{language}, one character at a time: token and learned position embeddings,
{config.n_layer} pre-norm blocks of {config.n_head} attention heads and a ReLU MLP over
{config.n_embd} channels, a final LayerNorm and an untied linear head. It sees at most
{config.block_size} characters and knows {config.vocab_size}. The weights are float16.

It follows [microGPT by TejasKalsait](https://github.com/TejasKalsait/microGPT). Apart from the
recipe below, {count} things differ: attention scores are scaled by head_size^-0.5 (Vaswani et al.,
2017), not n_embd^-0.5; {start}weight decay reaches matrices only, not biases and norms."""


def _limits(config: GPTConfig, shakespeare: bool) -> str:
    corpus = "the English of Shakespeare's plays" if shakespeare else "the text it was trained on"
    return f"""\
Made to be looked into: to learn how a transformer is trained, samples and attends. It
knows only {corpus}, and no characters but the {config.vocab_size} in
`tokenizer.json`. What it writes is pastiche: it has the look of its corpus, seldom sense and never
facts, and it can repeat lines of the corpus by heart. It follows no instructions, and it echoes
whatever views the corpus holds."""


def _data(training: Training, shakespeare: bool) -> str:
    name = _code(training.data)
    if shakespeare:
        name = (
            "Tiny Shakespeare, 1,115,394 characters of Shakespeare's plays (public domain) from "
            "Karpathy's\n[char-rnn](https://github.com/karpathy/char-rnn)"
        )
    return f"""\
{name}; SHA-256 {_code(training.data_sha256)}.
The first 90 % in file order are for training, the last 10 % for validation."""


def _procedure(model: GPTConfig, training: Training) -> str:
    config = training.config
    settings = {"dropout": model.dropout, **config.to_dict()}
    rows = "\n".join(f"| {name} | {value} |" for name, value in settings.items())
    more = ""
    if (share := matmul_share(model, training)) is not None:
        more += f"""
That is {characters_per_second(training):,.0f} characters/s, and {share:.1%} of the rate that large
matrix products reached there."""
    if training.commit != UNKNOWN_COMMIT:
        more += f"\nThe code is that of commit {_code(training.commit)}."
    return f"""\
    {_one_line(training.command)}

Preset {_code(training.preset)}, finished {_code(training.finished)} after {training.steps:,} of
{config.steps:,} steps: {training.tokens:,} characters in {training.seconds:,.0f} s, evaluations
left out, on {_code(training.hardware)} with PyTorch {_code(training.torch)}.{more}

| setting | value |
| --- | --- |
{rows}"""


def _results(training: Training, record: list[LossRow]) -> str:
    loss, config = training.val_loss_full, training.config
    if loss is None:
        measured = "`val_loss_full` is not measured"
        if training.steps < config.steps:
            measured += f""": the run was interrupted after {training.steps:,} of
{config.steps:,} steps"""
        measured += "."
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

The last estimate while training, at step {last.step:,}, over {config.eval_batches:,} random
batches of {config.batch_size:,} windows of each part: training {last.train_loss:.4f}, validation
{last.val_loss:.4f} nats per character. `loss_record.csv` holds the whole course."""
    return measured


def _usage(shakespeare: bool) -> str:
    prompt = '"QUEEN:"' if shakespeare else "TEXT"
    return f"""\
With the code of microGPT, and DIR this folder or its `USER/NAME` on the Hub:

    python -m microgpt generate --checkpoint DIR --prompt {prompt} --tokens 500

To open it in the web app, where its heads and its loss record can be looked at:

    MICROGPT_REPO=USER/NAME streamlit run app.py"""


def _licence(shakespeare: bool) -> str:
    if shakespeare:
        return "MIT, code and weights."
    return """\
The code is MIT. The licence of these weights is for whoever trained them to state, here and as
`license` in the metadata above."""
