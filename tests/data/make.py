"""Write an example of every file into format_<number>/, after the number was raised.

    python tests/data/make.py

The folders of earlier formats stay as they are: they are what earlier versions wrote.
"""

import json
import shutil
from pathlib import Path

from microgpt import atomic, checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig, TrainConfig
from microgpt.engine import Decoder, Drawn
from microgpt.formats import FORMAT
from microgpt.generate import generate, start_ids
from microgpt.sampling import SamplingConfig
from microgpt.training.finish import Source
from microgpt.training.folder import RunFolder
from microgpt.training.run import train_checkpoint
from microgpt.ui.attention.view_file import view_json
from microgpt.ui.generate.generated_text import GeneratedText
from microgpt.ui.generate.record import record_json

DATA = Path(__file__).parent
MODEL = GPTConfig(block_size=16, n_layer=2, n_head=2, n_embd=16, mlp_ratio=1, dropout=0.0)
TRAIN = TrainConfig(
    steps=8,
    batch_size=4,
    init="small",
    optimizer="muon",
    learning_rate=0.004,
    warmup_steps=2,
    decay_fraction=0.6,
    grad_clip=1.0,
    log_interval=2,
    eval_interval=4,
    eval_batches=2,
)


def train(out: Path, state: Path) -> Checkpoint:
    """Train the checkpoint, and keep the state from the middle of its run."""
    text = (DATA / "words.txt").read_bytes().decode()
    files = RunFolder(out)
    source = Source(data="words.txt")
    for row in train_checkpoint(text, MODEL, TRAIN, out, source=source, device="cpu"):
        if row.step == 5:  # the state on disk is that of step 4
            shutil.copy(files.state, state)
    shutil.rmtree(files.folder)
    return checkpoint.load(out)


def write(loaded: Checkpoint) -> GeneratedText:
    settings, length = SamplingConfig(top_k=5, seed=7), 24
    text = GeneratedText.empty(loaded, "Ba do", length, settings)
    ids = start_ids(loaded.tokenizer, text.prompt)
    for character in generate(Decoder(loaded.model), loaded.tokenizer, ids, length, settings):
        text.extend([Drawn(character.token, character.logits)])
    return text


def main() -> None:
    folder = DATA / f"format_{FORMAT}"
    with atomic.replacing(folder) as out:
        out.mkdir()
        loaded = train(out / "checkpoint", out / "state.pt")
        choices = {
            **{"text": "Ba do ke", "attention_view": "Combined", "scale": "log", "query": 8},
            **{"combine": "maximum", "combined_heads": ["L2 H1", "L2 H2"]},
        }
        (out / "record.json").write_text(record_json(loaded, write(loaded)), encoding="utf-8")
        (out / "view.json").write_text(view_json(loaded, choices), encoding="utf-8")
    print(json.dumps({path.name: path.stat().st_size for path in sorted(folder.rglob("*.*"))}))


if __name__ == "__main__":
    main()
