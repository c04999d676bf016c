"""Files of earlier formats open. Files of later ones open, or are refused with one sentence."""

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

from microgpt import checkpoint
from microgpt.analysis.baselines import Baselines
from microgpt.analysis.head_scores import HeadScores
from microgpt.checkpoint import CheckpointError
from microgpt.checkpoint.loss_record import LossRow, from_csv
from microgpt.checkpoint.provenance import Training
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.config import GPTConfig, TrainConfig
from microgpt.formats import FORMAT, IGNORABLE
from microgpt.sampling import SamplingConfig
from microgpt.training.folder import RunFolder
from microgpt.training.run import train_checkpoint
from microgpt.ui.generate.generated_text import GeneratedText
from microgpt.ui.generate.record import record_json
from tests.checkpoint.editing import edit_config, update_hashes

DATA = Path(__file__).parent / "data"
EXAMPLES = [DATA / f"format_{number}" for number in range(1, FORMAT + 1)]
UPDATE = (
    rf"which this version of microGPT does not know; it was written in format {FORMAT + 1} and "
    rf"this version reads up to {FORMAT}: update microGPT$"
)
of_each_format = pytest.mark.parametrize("example", EXAMPLES, ids=lambda folder: folder.name)


def json_of(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def test_there_is_an_example_of_every_format():
    assert sorted(DATA.glob("format_*")) == EXAMPLES, "run: python tests/data/make.py"
    newest = EXAMPLES[-1]
    for name in ("checkpoint/config.json", "record.json", "view.json"):
        assert json_of(newest / name)["format"] == FORMAT
    for folder in EXAMPLES:
        assert sum(path.stat().st_size for path in folder.rglob("*.*")) < 150_000


@of_each_format
def test_a_checkpoint_is_loaded_with_all_its_files(example):
    loaded = checkpoint.load(example / "checkpoint")
    assert loaded.notes == ()
    assert loaded.training.steps == loaded.loss_record[-1].step == loaded.snapshots.steps[-1] == 8
    assert loaded.config.n_layer == 2 and loaded.training.config.optimizer == "muon"
    assert loaded.baselines.val_loss["bigram"] < loaded.baselines.val_loss["uniform"]
    assert loaded.head_scores.ablation.loss_change.shape == (2, 2)
    assert loaded.loss_record[-1].val_loss == pytest.approx(3.11446)


@of_each_format
def test_a_run_is_resumed_from_its_state(example, tmp_path):
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
def test_a_record_restores_its_text(example, monkeypatch):
    app = opened(example, monkeypatch, "pages/generate.py", "record")
    text, loaded = app.session_state["generated_text"], checkpoint.load(example / "checkpoint")
    record = json_of(example / "record.json")
    assert loaded.tokenizer.decode(text.predictions.tokens.tolist()) == record["text"]
    assert app.number_input("seed").value == 7 and app.slider("top_k").value == 5


@of_each_format
def test_a_view_restores_its_choices(example, monkeypatch):
    app = opened(example, monkeypatch, "pages/attention.py", "view")
    choices = json_of(example / "view.json")["choices"]
    assert app.session_state["attention_view"] == choices["attention_view"] == "Combined"
    assert app.text_area("text").value == choices["text"]
    assert app.multiselect("combined_heads").value == ["L2 H1", "L2 H2"]


# A later version, in which each of these classes has one more field.


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
def test_old_files_open_after_a_field_is_added(example):
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


def test_an_added_field_is_written_and_read_back():
    folder = EXAMPLES[-1] / "checkpoint"
    loaded = checkpoint.load(folder)
    vocab = loaded.config.vocab_size
    scores = LaterScores(**vars(loaded.head_scores), sharpness=torch.ones(2, 2))
    again = LaterScores.from_json(scores.to_json(), 2, 2)
    assert torch.equal(again.sharpness, scores.sharpness)
    steps = loaded.snapshots.steps
    snapshots = LaterSnapshots(**vars(loaded.snapshots), losses=np.arange(len(steps)))
    again = LaterSnapshots.from_npz(snapshots.to_npz(), 2, 2, vocab)
    assert again.losses.dtype == np.float32 and again.losses.tolist() == snapshots.losses.tolist()


def test_old_head_scores_open_after_a_score_is_added():
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


def add_field(folder: Path, place: str, optional: list[str], number: int = FORMAT + 1) -> None:
    """Add a field `novelty` to an object of config.json, as a later version could."""

    def change(values: dict[str, Any]) -> None:
        target = values
        for name in filter(None, place.split(".")):
            target = target[name]
        target["novelty"] = 3
        values |= {"format": number, "optional": values["optional"] + optional}

    edit_config(folder, change)


PLACES = ["", "model", "training", "training.config", "sha256"]


@pytest.mark.parametrize("place", PLACES)
def test_an_unknown_field_of_a_later_format_is_ignored_if_it_is_optional(folder, place):
    before = checkpoint.load(folder)
    add_field(folder, place, ["novelty"])
    after = checkpoint.load(folder)
    assert (after.config, after.training, after.notes) == (before.config, before.training, ())


@pytest.mark.parametrize("place", PLACES)
def test_any_other_unknown_field_is_refused(folder, place):
    add_field(folder, place, [])
    noun = {"": "field", "training": "field", "sha256": "file"}.get(place, "setting")
    with pytest.raises(CheckpointError, match=f"^config.json has the {noun} 'novelty', {UPDATE}"):
        checkpoint.load(folder)
    add_field(folder, place, [], number=FORMAT)
    with pytest.raises(CheckpointError, match=rf"^unknown {noun} 'novelty' in config.json$"):
        checkpoint.load(folder)


def test_a_later_format_without_unknown_fields_opens(folder):
    edit_config(folder, lambda values: values.update(format=FORMAT + 7))
    assert checkpoint.load(folder).notes == ()


def write_optional_file(folder: Path, name: str, values: dict[str, Any]) -> None:
    (folder / name).write_text(json.dumps(values))
    update_hashes(folder)


@pytest.mark.parametrize("name", ["baselines.json", "head_scores.json"])
def test_an_optional_file_with_an_unknown_field_is_left_out(folder, name):
    values = json_of(folder / name) | {"novelty": 3, "format": FORMAT + 1}
    write_optional_file(folder, name, values)
    (note,) = checkpoint.load(folder).notes
    assert note.startswith(f"{name} has the field 'novelty'")
    assert note.endswith(f"update microGPT; {name} is left out")
    write_optional_file(folder, name, values | {"optional": ["novelty"]})
    assert checkpoint.load(folder).notes == ()


def test_an_unknown_head_score_or_baseline_is_ignored_if_it_is_optional(folder):
    scores, tables = json_of(folder / "head_scores.json"), json_of(folder / "baselines.json")
    scores["counts"]["novelty"] = 5
    scores["uniform"]["novelty"], scores["scores"]["novelty"] = 0.5, [[0.5] * 2] * 2
    tables["val_loss"]["novelty"] = 1.5
    for optional, notes in (([], 2), (["novelty"], 0)):
        write_optional_file(folder, "head_scores.json", scores | {"optional": optional})
        write_optional_file(folder, "baselines.json", tables | {"optional": optional})
        assert len(checkpoint.load(folder).notes) == notes


def test_new_snapshots_replace_the_file_of_format_1(tmp_path):
    older = shutil.copytree(EXAMPLES[0] / "checkpoint", tmp_path / "older")
    loaded = checkpoint.load(older)
    checkpoint.add_snapshots(older, loaded.snapshots, loaded.config)
    checkpoint.add_head_scores(older, loaded.head_scores, loaded.config)
    assert not (older / checkpoint.OLD_SNAPSHOTS).exists()
    values = json_of(older / "config.json")
    assert (values["format"], values["optional"]) == (FORMAT, ["head_scores.json", "snapshots.npz"])
    again = checkpoint.load(older)
    assert again.notes == () and again.snapshots.to_npz() == loaded.snapshots.to_npz()


# A checkpoint and a record list the settings that an older version may ignore.


@dataclass(frozen=True)
class LaterRecipeWithRemark(LaterRecipe):
    remark: str = field(default="", metadata=IGNORABLE)


def test_a_checkpoint_lists_its_optional_settings(folder, tmp_path):
    loaded = checkpoint.load(folder)
    training = dataclasses.replace(loaded.training, config=LaterRecipeWithRemark(steps=8))
    checkpoint.save(tmp_path / "saved", dataclasses.replace(loaded, training=training))
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
