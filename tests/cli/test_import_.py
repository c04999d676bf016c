import torch

from microgpt import checkpoint
from microgpt.cli import main
from tests.interop.other_programs import NanoGPT, randomised
from tests.interop.test_importing import CHARACTERS, nanogpt_checkpoint


def test_a_model_of_nanogpt_is_imported_written_with_and_exported(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = randomised(NanoGPT())
    nanogpt_checkpoint(tmp_path, model)
    assert main(["import", "nanogpt", "ckpt.pt", "meta.pkl", "-o", "mine"]) == 0
    assert "28 characters, nanoGPT's ckpt.pt, 500 iterations" in capsys.readouterr().out
    loaded = checkpoint.load("mine")
    assert loaded.training.command == ("python -m microgpt import nanogpt ckpt.pt meta.pkl -o mine")
    card = (tmp_path / "mine" / "README.md").read_text()
    assert "trained with other code" in card and "lowest validation loss" in card
    assert "Whoever trained these weights states their licence" in card
    assert "learning_rate" not in card and "seed" not in card
    assert main(["generate", "--checkpoint", "mine", "--prompt", "ab", "--tokens", "5"]) == 0
    written = capsys.readouterr().out
    assert set(written.strip("\n")) <= set(CHARACTERS)
    assert main(["export", "--checkpoint", "mine", "--to", "nanogpt", "--out", "back"]) == 0
    back = torch.load("back/ckpt.pt", weights_only=True)["model"]
    theirs = model.state_dict()
    flipped = theirs["transformer.wte.weight"].flip(0)  # the ids are sorted now
    assert torch.equal(back["transformer.wte.weight"], flipped)
    name = "transformer.h.1.mlp.c_fc.weight"
    assert torch.equal(back[name], theirs[name])


def test_what_is_missing_is_said_in_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(NanoGPT().state_dict(), "model.pt")
    assert main(["import", "nanogpt", "model.pt", "--heads", "3", "-o", "mine"]) == 2
    assert "error: the file does not say which 28 characters" in capsys.readouterr().err
    assert main(["import", "nanogpt", "model.pt", "none.pkl", "--heads", "3", "-o", "mine"]) == 2
    assert "none.pkl cannot be read" in capsys.readouterr().err
    assert main(["import", "transformers", "a b", "-o", "mine"]) == 2
    assert "is not the name of a repo" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    assert main(["import", "nanogpt", "model.pt", "-o", "mine"]) == 2
    assert "already exists" in capsys.readouterr().err
