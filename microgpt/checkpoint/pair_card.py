"""The model card of an encoder–decoder, generated from its measurements."""

from microgpt.checkpoint.card_parts import code, front_matter, procedure
from microgpt.checkpoint.folder import PairCheckpoint
from microgpt.checkpoint.provenance import Training
from microgpt.tasks import LENGTH, MAKERS


def render(checkpoint: PairCheckpoint) -> str:
    """Return the README.md of a checkpoint folder: YAML metadata for the Hub, then Markdown."""
    config, training = checkpoint.config, checkpoint.training
    blocks = "one pre-norm block" if config.n_layer == 1 else f"{config.n_layer} pre-norm blocks"
    about = MAKERS["dates"].about
    return f"""\
{_metadata(training)}# microGPT: an encoder–decoder for dates

An encoder–decoder of {checkpoint.model.parameter_count():,} parameters, written and trained from
scratch, that reads a date in words and writes it as ISO 8601 does, one character at a time. The
encoder and the decoder have {blocks} each, with {config.n_head} heads of
each kind of attention and a ReLU MLP over {config.n_embd} channels. The decoder looks at the phrase
through cross-attention (Vaswani et al., 2017). It reads at most {config.source_size} characters and
knows {config.vocab_size} different ones. The weights are float16.

## Intended use and limits

This model is for learning what self-attention and cross-attention are. It knows only dates from
1900 to 2099 in the forms of the task `dates` (`microgpt/dates.py`). For any other text it writes
some characters too, which mean nothing.

## Data

{MAKERS["dates"].title}: lines of {about},
about {LENGTH:,} characters. The program makes them from the seed of the run (task `dates`); SHA-256
{code(training.data_sha256)}.
Every tenth day is held out: no phrase of these days is trained on, and all measurements are made on
them.

## Training

{procedure(config, training)}

## Results

{_results(training)}

## How to use it

With the code of microGPT, and DIR this folder:

    python -m microgpt translate --checkpoint DIR --text "the 3rd of March, 2024"

The page Cross-attention of the web app shows what each head attends to.

## Licence

MIT, code and weights.
"""


def _metadata(training: Training) -> str:
    result = None
    if training.exact_match is not None:
        result = {
            "dataset_type": "dates",
            "dataset_name": "Dates, held-out days",
            "metric_type": "exact_match",
            "metric_name": "Exact match",
            "metric_value": training.exact_match,
        }
    tags = ["encoder-decoder", "cross-attention", "character-level", "from-scratch"]
    return front_matter("translation", tags, result, language="en", license="mit")


def _results(training: Training) -> str:
    command = "    python -m microgpt evaluate --checkpoint DIR"
    if training.exact_match is None:
        return f"The exact translations are not counted. This command counts them:\n\n{command}"
    loss = "" if training.val_loss_full is None else f"{training.val_loss_full:.4f}"
    return f"""\
| on all phrases of held-out days | value |
| --- | --- |
| exact translations | {training.exact_match:.2%} |
| loss, nats per character | {loss} |

{command}"""
