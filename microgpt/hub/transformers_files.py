"""The files that make a published checkpoint open in transformers too, from the same repo.

Three files of a checkpoint have the names that transformers expects. transformers can be told to
read two of them from elsewhere, and both programs can read the third:

- model.safetensors: config.json names the file of the weights in `transformers_weights`
  (github.com/huggingface/transformers/pull/38152, in release 4.53).
- tokenizer.json: tokenizer_config.json lists tokenizers by the release that first reads them.
- config.json: it has the fields of both. `optional` lists those that microGPT ignores.
"""

import json
from pathlib import Path

from microgpt.checkpoint import CARD, CONFIG, Checkpoint
from microgpt.config import ACTIVATIONS
from microgpt.interop import transformers

# The first release that reads the field `transformers_weights`.
RELEASE = "4.53.0"
WEIGHTS, TOKENIZER = "transformers.safetensors", f"tokenizer.{RELEASE}.json"
_HEADING = "## How to use it with transformers"


def transformers_files(
    folder: str | Path, checkpoint: Checkpoint, repo_id: str
) -> dict[str, bytes]:
    """The files to add to those of a checkpoint folder, or to upload in their place.

    repo_id: the repo that the model card names. Raises InteropError when GPT-2 cannot express the
    model.
    """
    theirs = transformers.contents(checkpoint)
    ours = json.loads(Path(folder, CONFIG).read_bytes())
    fields = json.loads(theirs[transformers.CONFIG]) | {"transformers_weights": WEIGHTS}
    tokenizer = json.loads(theirs[transformers.TOKENIZER_CONFIG])
    card = Path(folder, CARD).read_text(encoding="utf-8")
    optional = sorted({*ours.get("optional", ()), *fields})
    return {
        CONFIG: transformers.json_bytes(ours | fields | {"optional": optional}),
        CARD: _with_section(card, checkpoint, repo_id).encode(),
        WEIGHTS: theirs[transformers.WEIGHTS],
        TOKENIZER: theirs[transformers.TOKENIZER],
        transformers.TOKENIZER_CONFIG: transformers.json_bytes(
            tokenizer | {"fast_tokenizer_files": [TOKENIZER]}
        ),
    }


def _with_section(card: str, checkpoint: Checkpoint, repo_id: str) -> str:
    """The model card with a section about transformers; the rest may be written by hand."""
    card = card.replace("\nlibrary_name: pytorch\n", "\nlibrary_name: transformers\n", 1)
    before, _, after = card.partition(_HEADING)
    _, _, rest = after.partition("\n## ")
    section = f"""\
{_HEADING}

transformers {RELEASE.removesuffix(".0")} or newer opens this repo without the code of
microGPT, as a GPT-2 with {ACTIVATIONS[checkpoint.config.activation]}:

    from transformers import pipeline

    write = pipeline("text-generation", model="{repo_id}")
    print(write({checkpoint.passage[:8]!r}, max_new_tokens=100)[0]["generated_text"])

`AutoModelForCausalLM` and `AutoTokenizer` open it too. They read `{WEIGHTS}`, the
weights in float32, and `{TOKENIZER}`. An older transformers reads the wrong files: it
warns that the weights are newly initialized.
"""
    return before.rstrip("\n") + f"\n\n{section}" + (f"\n## {rest}" if rest else "")
