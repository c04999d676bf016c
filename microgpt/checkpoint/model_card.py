"""The model card of a checkpoint, generated from its measurements."""

import math
from dataclasses import dataclass, replace

from microgpt.analysis.words import LENGTH, TEMPERATURE, TEXTS
from microgpt.checkpoint.card_parts import code, front_matter, one_line, procedure
from microgpt.checkpoint.folder import Checkpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.provenance import Training
from microgpt.config import ACTIVATIONS, GPTConfig
from microgpt.model import without_weights
from microgpt.tasks import LENGTH as TASK_LENGTH
from microgpt.tasks import MAKERS

_IMITATES = """\
Its text imitates the style of the corpus. The text seldom makes sense, states no
facts, may repeat lines of the corpus word for word, and reflects the views in the corpus. The
model does not follow instructions."""


@dataclass(frozen=True)
class _Corpus:
    """What the card says about the text that a model was trained on.

    name, kind: of the data set in the metadata. ours: whether the card may state a licence. writes,
    knows: phrases about the model. limits: of its text. described: where the text is from. data,
    prompt: options of the commands.
    """

    name: str
    kind: str
    ours: bool
    writes: str
    knows: str
    limits: str
    described: str
    data: str
    prompt: str
    language: str | None = None


def _corpus(training: Training) -> _Corpus:
    corpus = _known_corpus(training)
    # The licence of imported weights is not ours to state.
    return replace(corpus, ours=False) if training.imported else corpus


def _known_corpus(training: Training) -> _Corpus:
    if training.on_tiny_shakespeare:
        return _Corpus(
            name="Tiny Shakespeare",
            kind="tiny_shakespeare",
            ours=True,
            writes="verse in the manner of Shakespeare",
            knows="the English of Shakespeare's plays",
            limits=_IMITATES,
            described="Tiny Shakespeare, 1,115,394 characters of Shakespeare's plays (public "
            "domain) from Karpathy's\n[char-rnn](https://github.com/karpathy/char-rnn)",
            data=" --data FILE",
            prompt=' --prompt "QUEEN:"',
            language="en",
        )
    if (task := MAKERS.get(training.config.task)) and not training.imported:
        return _Corpus(
            name=task.title,
            kind=training.config.task,
            ours=True,
            writes="text",
            knows=f"lines of {task.about}",
            limits="Its text has no meaning.",
            described=f"""\
{task.title}: lines of {task.about},
about {TASK_LENGTH:,} characters. The program makes them from the seed of the run (task
`{training.config.task}`)""",
            data="",
            prompt="",
        )
    return _Corpus(
        name=one_line(training.data),
        kind="text",
        ours=False,
        writes="text",
        knows="the text it was trained on",
        limits=_IMITATES,
        described=code(training.data),
        data=" --data FILE",
        prompt=" --prompt TEXT",
    )


def render(checkpoint: Checkpoint) -> str:
    """Return the README.md of a checkpoint folder: YAML metadata for the Hub, then Markdown.

    The strings in `checkpoint.training` may hold anything. They are written as Markdown code, so
    that no markup in them takes effect.
    """
    config, training, record = checkpoint.config, checkpoint.training, checkpoint.loss_record
    corpus = _corpus(training)
    return f"""\
{_metadata(training, corpus)}# microGPT

{_model(config, training, corpus)}

## Intended use and limits

{_limits(config, corpus)}

## Data

{_data(training, corpus)}

## Training

{procedure(config, training)}

## Results

{_results(training, record, corpus)}

## How to use it

{_usage(corpus)}

## Licence

{_licence(corpus)}
"""


def _metadata(training: Training, corpus: _Corpus) -> str:
    """Return the block of YAML metadata; see front_matter."""
    result = None
    if training.val_loss_full is not None:
        result = {
            "dataset_type": corpus.kind,
            "dataset_name": f"{corpus.name}, last 10 %",
            "metric_type": "loss",
            "metric_name": "Validation loss, nats per character",
            "metric_value": training.val_loss_full,
        }
    return front_matter(
        "text-generation",
        ["gpt", "character-level", "from-scratch"],
        result,
        language=corpus.language,
        license="mit" if corpus.ours else None,
    )


def _model(config: GPTConfig, training: Training, corpus: _Corpus) -> str:
    parameters = without_weights(config).parameter_count()
    heads = "1 attention head" if config.n_head == 1 else f"{config.n_head} attention heads"
    pre_norm = "" if config.norm == "none" else "pre-norm "
    final_norm = "a final LayerNorm " if config.norm == "all" else ""
    head = "a linear head that is tied to the embedding" if config.tied else "an untied linear head"
    shape = f"""\
{corpus.writes}, one character at a time: token and learned position embeddings,
{config.n_layer} {pre_norm}blocks of {heads} and a {ACTIVATIONS[config.activation]} MLP over
{config.n_embd} channels, {final_norm}and {head}.{_missing(config)}
It sees at most {config.block_size} characters of context and knows {config.vocab_size} different
characters."""
    if training.imported:
        return f"""\
A GPT of {parameters:,} parameters, trained with other code and imported into microGPT, that writes
{shape}"""
    differences = []
    if config.score_scale == "head_size":
        differences.append(
            "attention scores are scaled by head_size^-0.5 (Vaswani et\nal., 2017), not n_embd^-0.5"
        )
    if training.config.init == "small":
        zeros = " and the projections into the residual stream with zeros,"
        differences.append(f"""\
weights are initialised from N(0, 0.02²),{zeros if config.residual else ""}
not with PyTorch's defaults""")
    differences.append("weight decay applies to matrices only, not to\nbiases and LayerNorms")
    count = ("one thing differs", "two things differ", "three things differ")[len(differences) - 1]
    return f"""\
A GPT of {parameters:,} parameters, written and trained from scratch, that writes
{shape} The weights are float16.

It follows [microGPT by TejasKalsait](https://github.com/TejasKalsait/microGPT). Apart from the
settings below, {count}: {"; ".join(differences)}."""


def _missing(config: GPTConfig) -> str:
    """A sentence that names the usual parts of a GPT that this model lacks; "" if it has all."""
    norm = {"none": ["LayerNorm"], "blocks": ["LayerNorm before the head"], "all": []}[config.norm]
    parts = ([] if config.residual else ["residual connections"]) + norm
    return f" It has no {' and no '.join(parts)}." if parts else ""


def _limits(config: GPTConfig, corpus: _Corpus) -> str:
    return f"""\
This model is for learning how a transformer is trained, how it samples and what it attends to. It
knows only {corpus.knows}, and only the {config.vocab_size} characters in
`tokenizer.json`. {corpus.limits}"""


def _data(training: Training, corpus: _Corpus) -> str:
    if not training.knows_corpus:
        return f"The file names this text: {corpus.described}."
    return f"""\
{corpus.described}; SHA-256 {code(training.data_sha256)}.
The first 90 % of the text is for training, the last 10 % for validation."""


def _results(training: Training, record: list[LossRow], corpus: _Corpus) -> str:
    loss, config = training.val_loss_full, training.config
    if loss is None and training.steps < config.steps and not training.imported:
        measured = f"""\
`val_loss_full` is not measured: the run was interrupted after {training.steps:,} of
{config.steps:,} steps."""
    elif loss is None:
        measured = f"""\
`val_loss_full` is not measured. This command measures it:

    python -m microgpt evaluate --checkpoint DIR{corpus.data}"""
    else:
        measured = f"""\
| `val_loss_full`, every window of the validation text | value |
| --- | --- |
| loss, nats per character | {loss:.4f} |
| bits per character | {loss / math.log(2):.3f} |

    python -m microgpt evaluate --checkpoint DIR{corpus.data}"""
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

    python -m microgpt evaluate --checkpoint DIR{corpus.data} --words"""
    return measured


def _usage(corpus: _Corpus) -> str:
    return f"""\
With the code of microGPT, and DIR this folder or its `USER/NAME` on the Hub:

    python -m microgpt generate --checkpoint DIR{corpus.prompt} --tokens 500

To open it in the web app, which shows its attention heads and its loss record:

    MICROGPT_REPO=USER/NAME streamlit run app.py"""


def _licence(corpus: _Corpus) -> str:
    if corpus.ours:
        return "MIT, code and weights."
    return """\
The code is MIT. Whoever trained these weights states their licence, here and as `license` in the
metadata above."""
