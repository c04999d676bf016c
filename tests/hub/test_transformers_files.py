"""A repo that this app and transformers open, from the loopback Hub."""

import json
import subprocess
import sys

import pytest
import torch

from microgpt import checkpoint, hub
from microgpt.hub.transformers_files import TOKENIZER, WEIGHTS, transformers_files
from microgpt.hub.upload import Published
from microgpt.interop import InteropError
from tests.hub.fetching import REPO, loaded
from tests.loopback_hub import TOKEN

# What transformers reads from a repo, in a process of its own that knows only this Hub.
READ = f"""
import json, sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained("{REPO}")
tokenizer = AutoTokenizer.from_pretrained("{REPO}")
ids = tokenizer(sys.stdin.read(), return_tensors="pt").input_ids
with torch.inference_mode():
    logits = model(ids).logits[0]
print(json.dumps([ids[0].tolist(), logits.tolist(), tokenizer.decode(ids[0])]))
"""


@pytest.fixture
def published(server, exportable_checkpoint) -> Published:
    """The small checkpoint on the Hub, with the files of transformers."""
    return hub.publish(
        exportable_checkpoint, REPO, with_transformers=True, token=TOKEN, endpoint=server.url
    )


def test_the_app_and_transformers_open_the_same_repo(
    server, published, exportable_checkpoint, start_fetch, tmp_path
):
    ours = checkpoint.load(exportable_checkpoint)
    got = loaded(start_fetch())
    assert got.weights_sha256 == ours.weights_sha256 and got.training == ours.training
    assert got.notes == ()

    text = "ba do\nke"
    done = subprocess.run(
        [sys.executable, "-c", READ],
        input=text,
        env=server.environment(tmp_path / "home") | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    ids, logits, decoded = json.loads(done.stdout)
    assert ids == ours.tokenizer.encode(text) and decoded == text
    with torch.inference_mode():
        expected = ours.model(torch.tensor([ids]))[0]
    torch.testing.assert_close(torch.tensor(logits), expected, rtol=0, atol=1e-4)


def test_the_other_files_are_those_of_the_folder(server, published, exportable_checkpoint):
    commit = server.repos[REPO].commits[published.commit]
    assert {name: len(content) for name, content in commit.items()} == published.files
    added = {WEIGHTS, TOKENIZER, "tokenizer_config.json"}
    folder = {path.name: path.read_bytes() for path in exportable_checkpoint.iterdir()}
    assert commit.keys() == folder.keys() | added
    changed = {name for name in folder if commit[name] != folder[name]}
    assert changed == {checkpoint.CONFIG, checkpoint.CARD}


def test_the_card_keeps_what_was_written_by_hand(exportable_checkpoint, tmp_path):
    made = checkpoint.load(exportable_checkpoint)
    first = transformers_files(exportable_checkpoint, made, REPO)[checkpoint.CARD].decode()
    assert f'model="{REPO}"' in first and "library_name: transformers" in first
    before = (exportable_checkpoint / checkpoint.CARD).read_text("utf-8")
    assert first.startswith(before.replace("library_name: pytorch", "library_name: transformers"))

    by_hand = first + "\n## Thanks\n\nTo my teacher.\n"
    for name in (checkpoint.CONFIG, checkpoint.CARD):
        (tmp_path / name).write_bytes((exportable_checkpoint / name).read_bytes())
    (tmp_path / checkpoint.CARD).write_text(by_hand, encoding="utf-8")
    again = transformers_files(tmp_path, made, "else/where")[checkpoint.CARD].decode()
    assert again == by_hand.replace(REPO, "else/where")


def test_a_model_that_gpt2_cannot_express_is_not_published(server, tiny_checkpoint):
    with pytest.raises(InteropError, match="at least the vocabulary size"):
        hub.publish(tiny_checkpoint, REPO, with_transformers=True, token=TOKEN, endpoint=server.url)
    assert server.requests == []
