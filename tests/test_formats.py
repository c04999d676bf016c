"""Files of every format open, and files of a later one open or are refused in one sentence."""

import dataclasses
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor

from microgpt import checkpoint, formats
from microgpt.analysis.baselines import Baselines
from microgpt.analysis.head_scores import HeadScores
from microgpt.checkpoint import Checkpoint, CheckpointError
from microgpt.checkpoint.loss_record import LossRow, from_csv
from microgpt.checkpoint.provenance import Training
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.config import ConfigError, GPTConfig, TrainConfig
from microgpt.formats import FORMAT, Document, FormatError, parse_json, read_json, stamped
from microgpt.sampling import SamplingConfig
from microgpt.training.run import RunFolder, train_checkpoint
from microgpt.ui.generate.generated_text import GeneratedText
from microgpt.ui.generate.record import record_json

DATA = Path(__file__).parent / "data"
EXAMPLES = [DATA / f"format_{number}" for number in range(1, FORMAT + 1)]
UPDATE = (
    rf"which this version of microGPT does not know; it was written in format {FORMAT + 1} and "
    rf"this version reads up to {FORMAT}: update microGPT$"
)
of_each_format = pytest.mark.parametrize("example", EXAMPLES, ids=lambda folder: folder.name)


def json_of(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def test_an_example_of_every_format_is_kept():
    assert sorted(DATA.glob("format_*")) == EXAMPLES, "run: python tests/data/make.py"
    newest = EXAMPLES[-1]
    for name in ("checkpoint/config.json", "record.json", "view.json"):
        assert json_of(newest / name)["format"] == FORMAT
    for folder in EXAMPLES:
        assert sum(path.stat().st_size for path in folder.rglob("*.*")) < 150_000


@of_each_format
def test_a_checkpoint_opens_with_all_its_files(example):
    loaded = checkpoint.load(example / "checkpoint")
    assert loaded.notes == ()
    assert loaded.training.steps == loaded.loss_record[-1].step == loaded.snapshots.steps[-1] == 8
    assert loaded.config.n_layer == 2 and loaded.training.config.optimizer == "muon"
    assert loaded.baselines.val_loss["bigram"] < loaded.baselines.val_loss["uniform"]
    assert loaded.head_scores.ablation.loss_change.shape == (2, 2)
    assert loaded.loss_record[-1].val_loss == pytest.approx(3.11446)


@of_each_format
def test_a_state_is_resumed_to_the_end(example, tmp_path):
    made = checkpoint.load(example / "checkpoint")
    files = RunFolder(tmp_path / "run")
    files.folder.mkdir()
    shutil.copy(example / "state.pt", files.state)
    text = (DATA / "words.txt").read_bytes().decode()
    rows = train_checkpoint(
        text, made.config, made.training.config, files.out, device="cpu", resume=True
    )
    assert next(rows).step == 5
    for _ in rows:
        pass
    resumed = checkpoint.load(files.out)
    assert [row.step for row in resumed.loss_record] == [row.step for row in made.loss_record]
    assert resumed.loss_record[4] == made.loss_record[4]
    assert resumed.snapshots.steps.tolist() == made.snapshots.steps.tolist()
    for name, tensor in resumed.model.state_dict().items():
        torch.testing.assert_close(tensor, made.model.state_dict()[name], rtol=0.01, atol=0.01)


def opened(example: Path, monkeypatch: pytest.MonkeyPatch, page: str, noun: str) -> AppTest:
    """A page of the example's checkpoint, with one of the example's own files opened in it."""
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(example / "checkpoint"))
    app = AppTest.from_file("../app.py", default_timeout=60).run()
    app.switch_page(page).run()
    content = (example / f"{noun}.json").read_bytes()
    app.file_uploader(f"opened_{noun}").upload(f"{noun}.json", content).run()
    assert not app.exception and not app.error and not app.toast
    return app


@of_each_format
def test_a_record_opens_with_its_text(example, monkeypatch):
    app = opened(example, monkeypatch, "pages/generate.py", "record")
    text, loaded = app.session_state["generated_text"], checkpoint.load(example / "checkpoint")
    record = json_of(example / "record.json")
    assert loaded.tokenizer.decode(text.predictions.tokens.tolist()) == record["text"]
    assert app.number_input("seed").value == 7 and app.slider("top_k").value == 5


@of_each_format
def test_a_view_opens_on_its_choices(example, monkeypatch):
    app = opened(example, monkeypatch, "pages/attention.py", "view")
    choices = json_of(example / "view.json")["choices"]
    assert app.session_state["attention_view"] == choices["attention_view"] == "Combined"
    assert app.text_area("text").value == choices["text"]
    assert app.multiselect("combined_heads").value == ["L2 H1", "L2 H2"]


# A later version: each of these classes has a field more, in one line, and reads what there is.


@dataclass(frozen=True)
class LaterModel(GPTConfig):
    activation: str = "relu"


@dataclass(frozen=True)
class LaterRecipe(TrainConfig):
    label_smoothing: float = 0.0


@dataclass(frozen=True)
class LaterSettings(SamplingConfig):
    min_p: float = 0.0


@dataclass(frozen=True)
class LaterTraining(Training):
    energy: float | None = None


@dataclass(frozen=True)
class LaterRow(LossRow):
    ema_loss: float | None = None


@dataclass(frozen=True, eq=False)
class LaterBaselines(Baselines):
    trigram: Tensor | None = None


@dataclass(frozen=True, eq=False)
class LaterScores(HeadScores):
    sharpness: Tensor | None = None


@dataclass(frozen=True, eq=False)
class LaterSnapshots(Snapshots):
    losses: Annotated[np.ndarray | None, np.float32] = None


@of_each_format
def test_a_field_more_takes_one_line_and_old_files_still_open(example):
    folder = example / "checkpoint"
    loaded, config = checkpoint.load(folder), json_of(folder / "config.json")
    assert LaterModel.from_dict(config["model"]).activation == "relu"
    assert LaterRecipe.from_dict(config["training"]["config"]).label_smoothing == 0
    assert LaterTraining.from_dict(config["training"]).energy is None
    settings = json_of(example / "record.json")["settings"]
    assert LaterSettings.from_dict(settings) == LaterSettings(top_k=5, seed=7)
    rows = from_csv((folder / "loss_record.csv").read_text(), LaterRow)
    assert [row.step for row in rows] == [row.step for row in loaded.loss_record]
    assert {row.ema_loss for row in rows} == {None}
    vocab = loaded.config.vocab_size
    tables = LaterBaselines.from_json((folder / "baselines.json").read_bytes(), vocab)
    assert tables.trigram is None
    scores = LaterScores.from_json((folder / "head_scores.json").read_bytes(), 2, 2)
    assert scores.sharpness is None
    (packed,) = folder.glob("*.npz")
    snapshots = LaterSnapshots.from_npz(packed.read_bytes(), 2, 2, vocab)
    assert snapshots.losses is None


def test_what_a_later_version_writes_it_reads():
    folder = EXAMPLES[-1] / "checkpoint"
    loaded = checkpoint.load(folder)
    vocab = loaded.config.vocab_size
    held = {each.name: getattr(loaded.head_scores, each.name) for each in _fields(HeadScores)}
    scores = LaterScores(**held, sharpness=torch.ones(2, 2))
    again = LaterScores.from_json(scores.to_json(), 2, 2)
    assert torch.equal(again.sharpness, scores.sharpness)
    held = {each.name: getattr(loaded.snapshots, each.name) for each in _fields(Snapshots)}
    snapshots = LaterSnapshots(**held, losses=np.arange(len(held["steps"])))
    again = LaterSnapshots.from_npz(snapshots.to_npz(), 2, 2, vocab)
    assert again.losses.dtype == np.float32 and again.losses.tolist() == snapshots.losses.tolist()


def _fields(cls: type) -> tuple[dataclasses.Field, ...]:
    return dataclasses.fields(cls)


def test_a_head_score_more_leaves_old_scores_readable():
    text = (EXAMPLES[0] / "checkpoint" / "head_scores.json").read_text()
    older = json.loads(text)
    for by_name in (older["counts"], older["even"], older["scores"]):
        by_name.pop("induction", None)
    scores = HeadScores.from_json(json.dumps(older), 2, 2)
    assert scores.counts["induction"] == 0 and "induction" not in scores.scores


# Files of a later format, with fields that this version does not know.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the newest example's checkpoint."""
    return shutil.copytree(EXAMPLES[-1] / "checkpoint", tmp_path / "later")


def add(folder: Path, place: str, optional: list[str], number: int = FORMAT + 1) -> None:
    """Write a field `novelty` into an object of config.json, as a later version might."""
    path = folder / "config.json"
    values = json_of(path)
    where = values
    for name in filter(None, place.split(".")):
        where = where[name]
    where["novelty"] = 3
    values |= {"format": number, "optional": values["optional"] + optional}
    path.write_text(json.dumps(values))


PLACES = ["", "model", "training", "training.config", "sha256"]


@pytest.mark.parametrize("place", PLACES)
def test_a_checkpoint_with_a_future_optional_field_opens(folder, place):
    before = checkpoint.load(folder)
    add(folder, place, ["novelty"])
    after = checkpoint.load(folder)
    assert (after.config, after.training, after.notes) == (before.config, before.training, ())


@pytest.mark.parametrize("place", PLACES)
def test_a_checkpoint_with_a_future_required_field_is_refused_in_a_sentence(folder, place):
    add(folder, place, [])
    noun = {"": "field", "training": "field", "sha256": "file"}.get(place, "setting")
    with pytest.raises(CheckpointError, match=f"^config.json has the {noun} 'novelty', {UPDATE}"):
        checkpoint.load(folder)
    add(folder, place, [], number=FORMAT)
    with pytest.raises(CheckpointError, match=rf"^unknown {noun} 'novelty' in config.json$"):
        checkpoint.load(folder)


def test_a_later_format_opens_where_every_field_is_known(folder):
    path = folder / "config.json"
    path.write_text(json.dumps(json_of(path) | {"format": FORMAT + 7}))
    assert checkpoint.load(folder).notes == ()


@pytest.mark.parametrize("name", ["baselines.json", "head_scores.json"])
def test_an_optional_file_of_a_later_format_is_left_out_with_a_note(folder, name):
    values = json_of(folder / name) | {"novelty": 3, "format": FORMAT + 1}
    relisted(folder, name, values)
    (note,) = checkpoint.load(folder).notes
    assert note.startswith(f"{name} has the field 'novelty'")
    assert note.endswith(f"update microGPT; {name} is left out")
    relisted(folder, name, values | {"optional": ["novelty"]})
    assert checkpoint.load(folder).notes == ()


def relisted(folder: Path, name: str, values: dict[str, Any]) -> None:
    """Write a file of a checkpoint and list its SHA-256."""
    (folder / name).write_text(json.dumps(values))
    config = json_of(folder / "config.json")
    config["sha256"][name] = checkpoint.sha256(folder / name)
    (folder / "config.json").write_text(json.dumps(config))


def test_a_future_head_score_or_baseline_may_be_optional(folder):
    scores, tables = json_of(folder / "head_scores.json"), json_of(folder / "baselines.json")
    scores["counts"]["novelty"] = 5
    scores["uniform"]["novelty"], scores["scores"]["novelty"] = 0.5, [[0.5] * 2] * 2
    tables["val_loss"]["novelty"] = 1.5
    for optional, notes in (([], 2), (["novelty"], 0)):
        relisted(folder, "head_scores.json", scores | {"optional": optional})
        relisted(folder, "baselines.json", tables | {"optional": optional})
        assert len(checkpoint.load(folder).notes) == notes


def test_new_snapshots_take_the_place_of_those_of_format_1(tmp_path):
    older = shutil.copytree(EXAMPLES[0] / "checkpoint", tmp_path / "older")
    loaded = checkpoint.load(older)
    checkpoint.add_snapshots(older, loaded.snapshots, loaded.config)
    checkpoint.add_head_scores(older, loaded.head_scores, loaded.config)
    assert not (older / checkpoint.EVOLUTION).exists()
    values = json_of(older / "config.json")
    assert (values["format"], values["optional"]) == (FORMAT, ["head_scores.json", "snapshots.npz"])
    again = checkpoint.load(older)
    assert again.notes == () and again.snapshots.to_npz() == loaded.snapshots.to_npz()


# What a writer lists as optional.


@dataclass(frozen=True)
class Noted(TrainConfig):
    remark: str = field(default="", metadata=formats.IGNORABLE)
    label_smoothing: float = 0.0


@pytest.mark.parametrize(
    ("changes", "listed"),
    [
        ({}, ["label_smoothing", "remark"]),
        ({"remark": "a try"}, ["label_smoothing", "remark"]),
        ({"label_smoothing": 0.1}, ["remark"]),
    ],
    ids=str,
)
def test_a_setting_that_has_its_default_or_changes_nothing_is_optional(changes, listed):
    made = Noted(**changes)
    assert sorted(made.ignorable() - TrainConfig().ignorable()) == listed
    document = Document.of("config.json", stamped({"train": made.to_dict()}, made.ignorable()))
    if "label_smoothing" in changes:
        with pytest.raises(FormatError, match="unknown setting 'label_smoothing'"):
            TrainConfig.from_dict(document.values["train"], document)
    else:
        assert TrainConfig.from_dict(document.values["train"], document) == TrainConfig()


def test_the_settings_of_format_1_are_never_optional_and_never_missing():
    for config in (GPTConfig(), TrainConfig(), SamplingConfig()):
        assert not config.ignorable() & set(config._format_1)
        for name in config._format_1:
            values = {key: value for key, value in config.to_dict().items() if key != name}
            with pytest.raises(ConfigError, match=f"'{name}' is missing"):
                type(config).from_dict(values)


def test_a_checkpoint_lists_its_optional_settings(folder, tmp_path):
    loaded = checkpoint.load(folder)
    training = dataclasses.replace(loaded.training, config=Noted(steps=8))
    held = (loaded.model, loaded.tokenizer, loaded.loss_record, training)
    checkpoint.save(tmp_path / "saved", Checkpoint(*held))
    values = json_of(tmp_path / "saved" / "config.json")
    assert values["format"] == FORMAT
    assert {"label_smoothing", "remark"} <= set(values["optional"])
    assert checkpoint.load(tmp_path / "saved").training.config == TrainConfig(steps=8)


def test_a_record_lists_its_optional_settings(folder):
    loaded = checkpoint.load(folder)
    for settings, optional in ((LaterSettings(), True), (LaterSettings(min_p=0.1), False)):
        text = GeneratedText.empty(loaded, "Ba", 1, settings)
        listed = json.loads(record_json(loaded, text)).get("optional", [])
        assert ("min_p" in listed) == optional


# Reading JSON from anyone.


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a.json cannot be read: it is not JSON"),
        (b"\xff\xfe{", "a.json cannot be read: it is not UTF-8 text"),
        ("[" * 100_000, "a.json cannot be read: it is not JSON"),
        ('{"a":' * 100_000, "a.json cannot be read: it is not JSON"),
        ("1" * 5000, "a.json cannot be read: it is not JSON"),
        ("[" * 33 + "]" * 33, "a.json cannot be read: it is nested too deeply"),
        ('{"a":' * 900 + "1" + "}" * 900, "a.json cannot be read: it is nested too deeply"),
        (b"[]", "a.json must hold a JSON object"),
        (b"null", "a.json must hold a JSON object"),
    ],
    ids=range(9),
)
def test_json_from_outside_is_an_object_or_a_sentence(data, message):
    with pytest.raises(FormatError, match=f"^{message}$"):
        parse_json("a.json", data)


@pytest.mark.parametrize("number", [0, -1, 2.0, True, None, "2", [], 10**400], ids=repr)
def test_a_format_is_a_number_from_1(number):
    with pytest.raises(
        FormatError, match=r"^the format of a.json is .*; it must be a whole number from 1$"
    ):
        Document.of("a.json", {"format": number})


@pytest.mark.parametrize("optional", [None, "name", {"name": 1}, [1]], ids=repr)
def test_the_optional_fields_are_a_list_of_names(optional):
    with pytest.raises(FormatError, match=r'^"optional" of a.json must be a list of names$'):
        Document.of("a.json", {"optional": optional})


def test_a_file_without_a_number_is_of_format_1():
    document = read_json("a.json", '{"b": 3}')
    assert (document.format, document.values, set(document.optional)) == (1, {"b": 3}, set())
    again = read_json("a.json", json.dumps(stamped({"b": 3}, ["b"])))
    assert (again.format, again.values, set(again.optional)) == (FORMAT, {"b": 3}, {"b"})


def test_a_long_name_makes_no_long_sentence():
    with pytest.raises(FormatError) as caught:
        read_json("a.json", json.dumps({"x" * 10_000: 1})).known({"x" * 10_000: 1}, ())
    assert len(str(caught.value)) < 100
