"""docs/formats.md names every field of every file, and no other."""

import csv
import dataclasses
import importlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from microgpt import checkpoint, formats
from microgpt.analysis.attention import maps_npz
from microgpt.analysis.baselines import NAMES, Baselines
from microgpt.analysis.context_length import ContextLosses
from microgpt.analysis.cross_scores import CrossScores
from microgpt.analysis.head_patterns import PATTERNS
from microgpt.analysis.head_scores import Ablation, HeadScores, Repeated, SnapshotScores
from microgpt.analysis.position import position_at, position_npz
from microgpt.analysis.prediction_files import to_csv
from microgpt.analysis.predictions import Predictions
from microgpt.analysis.residuals import residual_stream
from microgpt.checkpoint.loss_record import COLUMNS
from microgpt.checkpoint.pair_snapshots import PairSnapshots
from microgpt.checkpoint.provenance import Training
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.config import EncoderDecoderConfig, GPTConfig, TrainConfig
from microgpt.encoder_decoder import EncoderDecoder
from microgpt.interop.nanogpt import saved_values
from microgpt.interop.onnx import onnx_model
from microgpt.model import GPT, on_meta
from microgpt.sampling import SamplingConfig
from microgpt.training.settings import RunSettings
from microgpt.training.snapshots import Snapshot
from microgpt.training.state import SAVED
from microgpt.ui.attention import view_file
from microgpt.ui.attention.controls import VIEW
from microgpt.ui.attention.view_file import VIEW_FILE
from microgpt.ui.charts.map_files import attention_csv
from microgpt.ui.controls import saved_controls
from microgpt.ui.generate.record import RECORD
from microgpt.ui.head_choice import Choice
from microgpt.ui.saved_file import ORIGIN

DOCUMENT = Path(__file__).parents[1] / "docs" / "formats.md"
STAMP = ["format", "optional"]
SMALL_NANOGPT = GPTConfig(
    vocab_size=2,
    block_size=2,
    n_layer=1,
    n_head=1,
    n_embd=2,
    activation="gelu",
    tied=True,
    head_bias=False,
)


def documented_fields() -> dict[str, list[str]]:
    """The names in the first column of each section's table, by the section's heading."""
    sections = re.split(r"^#+ ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    tables = {}
    for section in sections:
        heading, _, body = section.partition("\n")
        rows = re.findall(r"^\| `([^`]+)` \|", body, flags=re.MULTILINE)
        if rows:
            tables[heading.replace("`", "")] = rows
    return tables


def fields(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


def tensor_names(model: type[GPT] | type[EncoderDecoder], config: GPTConfig) -> list[str]:
    names = on_meta(lambda: model(config)).state_dict()
    return list(dict.fromkeys(re.sub(r"\.\d+\.", ".N.", name) for name in names))


def graph_names() -> list[str]:
    config = GPTConfig(vocab_size=2, block_size=2, n_layer=2, n_head=1, n_embd=2)
    graph = onnx_model(GPT(config)).graph
    names = [value.name for value in (*graph.input, *graph.output)]
    return list(dict.fromkeys(re.sub(r"\.\d+\.", ".N.", name) for name in names))


def columns(table: str) -> list[str]:
    return next(csv.reader(io.StringIO(table)))


def saved_choices() -> list[str]:
    for path in Path(view_file.__file__).parent.glob("*.py"):  # controls are declared on import
        importlib.import_module(f"microgpt.ui.attention.{path.stem}")
    return [f"{each.key}_N" if each.numbered else each.key for each in saved_controls(VIEW)]


def map_arrays() -> list[str]:
    with np.load(io.BytesIO(maps_npz(torch.zeros(1, 1, 1, 1), "a", ""))) as arrays:
        return list(arrays)


def position_arrays() -> list[str]:
    model = GPT(SMALL_NANOGPT)
    found = position_at(model, [0], residual_stream(model, [0]), 0)
    with np.load(io.BytesIO(position_npz(found, "a", 0, ""))) as arrays:
        return list(arrays)


def code_fields() -> dict[str, list[str]]:
    """The fields of each file in the code, by the heading of the document."""
    predictions = Predictions(torch.zeros(1, dtype=torch.long), torch.zeros(1, 2))
    return {
        "A checkpoint": [
            *checkpoint.FILES,
            *checkpoint.OPTIONAL.keys() - {checkpoint.OLD_SNAPSHOTS},
        ],
        "config.json": [*STAMP, *checkpoint.CONFIG_FIELDS],
        "config.json: model": fields(EncoderDecoderConfig),
        "config.json: training": fields(Training),
        "config.json: training.config": fields(TrainConfig),
        "tokenizer.json": [*STAMP, "characters"],
        "model.safetensors": tensor_names(GPT, GPTConfig(qkv_bias=True)),
        "model.safetensors of an encoder–decoder": tensor_names(
            EncoderDecoder, EncoderDecoderConfig()
        ),
        "loss_record.csv": [*COLUMNS, "format"],
        "baselines.json": [*STAMP, *fields(Baselines)],
        "baselines.json: val_loss": list(NAMES),
        "snapshots.npz": ["format", *fields(Snapshots)],
        "head_scores.json": [*STAMP, *fields(HeadScores)],
        "head_scores.json: counts, uniform, scores": list(PATTERNS),
        "head_scores.json: ablation": fields(Ablation),
        "head_scores.json: repeated": fields(Repeated),
        "snapshot_scores.json": [*STAMP, *fields(SnapshotScores)],
        "context_losses.json": [*STAMP, *fields(ContextLosses)],
        "cross_scores.json": [*STAMP, *fields(CrossScores)],
        "cross_snapshots.npz": ["format", *fields(PairSnapshots)],
        "state.pt": ["format", *SAVED],
        "state.pt: configs": fields(RunSettings),
        "state.pt: snapshots": fields(Snapshot),
        "record.json": [*STAMP, "kind", *ORIGIN, *RECORD.fields],
        "record.json: settings": fields(SamplingConfig),
        "view.json": [*STAMP, "kind", *ORIGIN, *VIEW_FILE.fields],
        "view.json: choices": saved_choices(),
        "characters.csv": columns(to_csv(predictions, "ab", SamplingConfig())),
        "microgpt-heads.npz": map_arrays(),
        "microgpt-position.npz": position_arrays(),
        "An attention map as CSV": columns(
            attention_csv(np.ones((1, 1)), "a", Choice(None, None).columns)
        ),
        "ckpt.pt and meta.pkl": list(saved_values(GPT(SMALL_NANOGPT), steps=0)),
        "model.onnx": graph_names(),
    }


@pytest.mark.parametrize("heading", code_fields())
def test_the_document_describes_exactly_the_fields_of_the_code(heading):
    documented, expected = documented_fields()[heading], code_fields()[heading]
    assert len(set(documented)) == len(documented)
    assert set(documented) == set(expected)


def test_the_document_has_exactly_the_sections_of_the_code():
    assert documented_fields().keys() == code_fields().keys()


def test_the_document_has_the_limits_of_the_code():
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, (low, high) in {**EncoderDecoderConfig._limits, **SamplingConfig._limits}.items():
        if name != "seed":
            assert f"| `{name}` | {low:g} to {high:g} |" in text


def test_the_document_has_the_choices_of_the_code():
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, choices in {**GPTConfig._choices, **TrainConfig._choices}.items():
        (described,) = re.findall(rf"^\| `{name}` \| ([^|]+) \|", text, flags=re.MULTILINE)
        assert re.findall("`([^`]+)`", described) == list(choices)


def test_the_document_has_the_file_sizes_of_the_code():
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, most in {**checkpoint.FILES, **checkpoint.OPTIONAL}.items():
        if name != checkpoint.OLD_SNAPSHOTS:
            size = f"{most // 2**20} MiB" if most % 2**20 == 0 else f"{most // 10**6} MB"
            assert f"| `{name}` | {size} |" in text


def test_the_document_names_the_current_format():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert f"This version writes format {formats.FORMAT}." in text
    history = re.findall(r"^\| (\d+) \|", text, flags=re.MULTILINE)
    assert history == [str(number) for number in range(1, formats.FORMAT + 1)]
