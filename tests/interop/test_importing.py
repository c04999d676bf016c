"""Models of other programs, saved by torch itself, imported and compared with their own logits."""

import math
import pickle
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import nn

from microgpt import checkpoint
from microgpt.engine import Engine
from microgpt.interop import InteropError
from microgpt.interop.assemble import Choices
from microgpt.interop.importing import import_model
from tests.interop.other_programs import Lecture, NanoGPT, OldMinGPT, randomised

CHARACTERS = "\n !abcdefghijklmnopqrstuvwxy"  # 28, sorted
IDS = torch.tensor([[5, 2, 27, 0, 9, 9, 13, 1, 20, 4, 6, 3, 11, 8, 7, 26]])


@dataclass(frozen=True)
class Case:
    """A model of another program; saved: what torch.save writes; shape: what was recognised."""

    program: str
    model: nn.Module
    choices: dict = field(default_factory=dict)
    shape: dict = field(default_factory=dict)

    def saved(self) -> dict:
        return self.model.state_dict()


CASES = {
    "nanoGPT": Case(
        "nanogpt",
        NanoGPT(bias=False),
        {"n_head": 3},
        {"tied": True, "norm_bias": False, "qkv_bias": False, "linear_bias": False},
    ),
    "nanoGPT with biases": Case(
        "nanogpt", NanoGPT(bias=True), {"n_head": 3}, {"qkv_bias": True, "head_bias": False}
    ),
    "minGPT": Case(
        "mingpt", NanoGPT(tied=False, gelu="tanh"), {"n_head": 3}, {"activation": "gelu_tanh"}
    ),
    "old minGPT": Case("mingpt", OldMinGPT(), {"n_head": 3}, {"activation": "gelu"}),
    "lecture": Case("ng-video-lecture", Lecture(), {"score_scale": "head_size"}, {"n_head": 3}),
    "older lecture": Case(
        "ng-video-lecture",
        Lecture(by_channels=True),
        {"score_scale": "n_embd"},
        {"score_scale": "n_embd", "activation": "relu", "head_bias": True},
    ),
}


@pytest.fixture
def vocabulary(tmp_path) -> Path:
    path = tmp_path / "characters.txt"
    path.write_bytes(CHARACTERS.encode())
    return path


@pytest.mark.parametrize("name", CASES)
def test_an_imported_model_has_the_logits_of_the_original(tmp_path, vocabulary, name):
    case = CASES[name]
    randomised(case.model)
    torch.save(case.saved(), tmp_path / "model.pt")
    choices = Choices(vocabulary, **case.choices)
    made = import_model(case.program, tmp_path / "model.pt", choices)
    checkpoint.save(tmp_path / "out", made, exact=True)
    loaded = checkpoint.load(tmp_path / "out", strict=True)
    assert {key: getattr(loaded.config, key) for key in case.shape} == case.shape
    expected = case.model(IDS)
    for model in (made.model, loaded.model):
        torch.testing.assert_close(model(IDS), expected, atol=1e-4, rtol=0)
    engine = Engine(loaded.model)
    engine.wait()
    decoded = engine.decoder().prefill(IDS[0].tolist())
    torch.testing.assert_close(decoded, expected[0, -1], atol=1e-4, rtol=0)
    assert loaded.tokenizer.characters == CHARACTERS
    assert loaded.loss_record == [] and loaded.baselines is None and loaded.snapshots is None
    assert "model.pt" in loaded.training.imported


def nanogpt_checkpoint(folder: Path, model: nn.Module, prefix: str = "", **args) -> None:
    """ckpt.pt and meta.pkl, as nanoGPT's train.py and prepare.py write them."""
    optimizer = torch.optim.AdamW(model.requires_grad_(True).parameters())
    model(IDS).sum().backward()
    optimizer.step()
    arguments = {"n_layer": 2, "n_head": 3, "n_embd": 48, "block_size": 16, "bias": True}
    arguments |= {"vocab_size": 28, "dropout": 0.2}
    values = {
        "model": {prefix + name: tensor for name, tensor in model.state_dict().items()},
        "optimizer": optimizer.state_dict(),
        "model_args": arguments | args,
        "iter_num": 500,
        "best_val_loss": torch.tensor(1.4697),
        "config": {"dataset": "shakespeare_char", "batch_size": 12, "learning_rate": 1e-3},
    }
    torch.save(values, folder / "ckpt.pt")
    characters = CHARACTERS[::-1]  # the ids need not be in the order of the characters
    meta = {
        "vocab_size": 28,
        "itos": dict(enumerate(characters)),
        "stoi": {char: i for i, char in enumerate(characters)},
    }
    (folder / "meta.pkl").write_bytes(pickle.dumps(meta))


@pytest.mark.parametrize("prefix", ["", "_orig_mod.", "module._orig_mod."])
def test_a_checkpoint_of_nanogpt_is_imported_with_what_it_says(tmp_path, prefix):
    model = randomised(NanoGPT())
    nanogpt_checkpoint(tmp_path, model, prefix)
    made = import_model("nanogpt", tmp_path / "ckpt.pt", Choices(tmp_path / "meta.pkl"))
    assert made.tokenizer.characters == CHARACTERS
    # The character of nanoGPT's id 27 - i is that of our id i.
    theirs = model(27 - IDS).flip(-1)
    torch.testing.assert_close(made.model(IDS), theirs, atol=1e-4, rtol=0)
    training = made.training
    assert training.imported == (
        "nanoGPT's ckpt.pt, 500 iterations, lowest validation loss that nanoGPT estimated 1.4697"
    )
    assert (training.steps, training.tokens) == (500, 500 * 12 * 16)
    assert training.data == "shakespeare_char" and training.val_loss_full is None
    assert made.config.dropout == 0.2


def test_half_precision_is_a_choice(tmp_path):
    nanogpt_checkpoint(tmp_path, randomised(NanoGPT()))
    made = import_model("nanogpt", tmp_path / "ckpt.pt", Choices(tmp_path / "meta.pkl"))
    checkpoint.save(tmp_path / "exact", made, exact=True)
    checkpoint.save(tmp_path / "half", made)
    exact, half = (
        (tmp_path / name / "model.safetensors").stat().st_size for name in ("exact", "half")
    )
    assert exact > 1.8 * half
    checkpoint.save(tmp_path / "again", checkpoint.load(tmp_path / "half"), exact=True)
    assert (tmp_path / "again" / "model.safetensors").stat().st_size == half


def test_the_characters_are_those_of_the_text_without_a_vocabulary(tmp_path):
    torch.save(randomised(NanoGPT()).state_dict(), tmp_path / "model.pt")
    data = tmp_path / "text.txt"
    data.write_bytes(CHARACTERS.replace("\n", "\r\n").encode())  # as Python's text mode reads it
    made = import_model("nanogpt", tmp_path / "model.pt", Choices(data=data, n_head=3))
    assert made.tokenizer.characters == CHARACTERS
    assert made.training.data == "text.txt"
    assert made.training.data_sha256 == checkpoint.sha256(data)


def test_a_text_that_the_model_was_not_trained_on_is_refused(tmp_path):
    nanogpt_checkpoint(tmp_path, randomised(NanoGPT()))
    path, data = tmp_path / "ckpt.pt", tmp_path / "text.txt"
    choices = Choices(tmp_path / "meta.pkl", data)
    data.write_text(CHARACTERS[:5] + "\u00e9\u00e8")
    with pytest.raises(InteropError, match=r"not trained on text\.txt, which has 2 char.*'è'"):
        import_model("nanogpt", path, choices)
    data.write_bytes(CHARACTERS.replace("\n", "\r\n").encode())
    assert import_model("nanogpt", path, choices).training.data == "text.txt"


def test_a_checkpoint_of_nanogpt_is_not_taken_for_one_of_mingpt(tmp_path):
    """The names of the weights are the same; only the activation function differs."""
    nanogpt_checkpoint(tmp_path, randomised(NanoGPT()))
    with pytest.raises(InteropError, match="import it as nanogpt"):
        import_model("mingpt", tmp_path / "ckpt.pt", Choices(tmp_path / "meta.pkl", n_head=3))


def refused(tmp_path: Path, values: dict, program: str = "nanogpt", **choices) -> str:
    torch.save(values, tmp_path / "model.pt")
    with pytest.raises(InteropError) as raised:
        import_model(program, tmp_path / "model.pt", Choices(**{"n_head": 3, **choices}))
    return str(raised.value)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("transformer.h.0.attn.rotary_emb.inv_freq", "RoPE"),
        ("transformer.h.0.mlp.gate_proj.weight", "SwiGLU"),
        ("transformer.h.0.ln_1.gain", "RMSNorm"),
        ("transformer.h.0.crossattention.c_attn.weight", "cross-attention"),
        ("transformer.h.0.attn.kv_proj.weight", "grouped-query attention"),
        ("transformer.h.0.mlp.experts.0.weight", "mixture of experts"),
        ("transformer.h.0.mlp.adapter.weight", "another kind"),
    ],
)
def test_a_part_that_ours_lacks_is_named(tmp_path, name, what):
    message = refused(tmp_path, NanoGPT().state_dict() | {name: torch.ones(4)})
    assert what in message and name in message and message.endswith("which microGPT does not have")


def test_what_the_weights_do_not_say_is_asked_for(tmp_path, vocabulary):
    weights = NanoGPT().state_dict()
    assert "--heads N" in refused(tmp_path, weights, n_head=None)
    assert "--data TEXT" in refused(tmp_path, weights)
    assert "--score-scale" in refused(tmp_path, Lecture().state_dict(), "ng-video-lecture")
    short = tmp_path / "short.txt"
    short.write_text("abc")
    assert "28 characters and the vocabulary has 3" in refused(tmp_path, weights, vocabulary=short)


def test_other_weights_are_refused(tmp_path, vocabulary):
    weights = NanoGPT().state_dict()
    assert "not the weights of that program" in refused(tmp_path, Lecture().state_dict())
    missing = {name: each for name, each in weights.items() if "h.1.mlp.c_fc.weight" not in name}
    assert "blocks.1.mlp.up.weight is missing" in refused(tmp_path, missing)
    few = weights | {"transformer.h.0.attn.c_attn.weight": torch.ones(80, 48)}
    assert "grouped-query attention" in refused(tmp_path, few)
    nan = weights | {"transformer.ln_f.weight": torch.full((48,), torch.nan)}
    assert "NaN" in refused(tmp_path, nan)
    big = NanoGPT(vocab_size=50304, n_layer=1).state_dict()
    assert "GPT-2's BPE vocabulary" in refused(tmp_path, big)
    variant = {"model": weights, "model_args": {"n_head": 3, "use_rmsnorm": True}}
    assert "'use_rmsnorm'" in refused(tmp_path, variant)


@pytest.mark.parametrize("value", [torch.ones(2), torch.ones(0), torch.ones(1, device="meta")])
def test_a_setting_that_is_a_tensor_is_a_setting(tmp_path, value):
    values = {"model": NanoGPT().state_dict(), "model_args": {"n_head": 3, "rope": value}}
    assert "'rope'" in refused(tmp_path, values)


@pytest.mark.parametrize(
    "value", [10**400, -1, math.nan, torch.ones(2), torch.ones(1, device="meta"), 3j, "3"], ids=str
)
def test_what_is_no_number_is_as_if_it_was_not_saved(tmp_path, vocabulary, value):
    numbers = {"iter_num": value, "best_val_loss": value, "config": {"batch_size": value}}
    args = {"n_head": value, "dropout": value}
    values = {"model": NanoGPT().state_dict(), "model_args": args, **numbers}
    assert "--heads N" in refused(tmp_path, values, n_head=None)
    made = import_model("nanogpt", tmp_path / "model.pt", Choices(vocabulary, n_head=3))
    assert made.training.steps == 0 and made.config.dropout == 0.0


def test_a_position_embedding_of_another_kind_is_refused(tmp_path):
    weights = OldMinGPT().state_dict()
    for other in (torch.ones(16, 48), torch.ones(1, 16, 48, device="meta")):
        assert "pos_emb" in refused(tmp_path, weights | {"pos_emb": other}, "mingpt")
