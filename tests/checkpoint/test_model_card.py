import dataclasses
import math
import sys

import pytest

from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.model_card import render
from microgpt.checkpoint.provenance import Training
from microgpt.checkpoint.throughput import flops_per_character
from microgpt.config import GPTConfig
from microgpt.data import TINY_SHAKESPEARE_SHA256
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer
from microgpt.training.presets import PRESETS


def card_of(config: GPTConfig, training: Training, record: list[LossRow]) -> str:
    """The card of a model with a vocabulary of made-up characters."""
    model = GPT(config)
    tokenizer = CharTokenizer("".join(chr(48 + i) for i in range(config.vocab_size)))
    return render(Checkpoint(model, tokenizer, record, training))


@pytest.fixture
def shakespeare(training) -> Training:
    return dataclasses.replace(
        training, data="Tiny Shakespeare", data_sha256=TINY_SHAKESPEARE_SHA256
    )


def parse(text: str):
    """Read a card with the Hub's own client."""
    from huggingface_hub import ModelCard  # here, since it reads the environment when imported

    return ModelCard(text)


def test_the_hubs_client_reads_the_metadata(shakespeare, loss_record):
    data = parse(card_of(GPTConfig(), shakespeare, loss_record)).data
    assert data.language == "en"
    assert data.license == "mit"
    assert data.library_name == "pytorch"
    assert data.pipeline_tag == "text-generation"
    assert "microgpt" in data.tags
    assert data.model_name == "microGPT"
    (result,) = data.eval_results
    assert result.task_type == "text-generation"
    assert result.dataset_name == "Tiny Shakespeare, last 10 %"
    assert (result.metric_type, result.metric_value) == ("loss", 2.5512)


def test_without_the_hubs_client_only_the_metadata_is_missing(
    monkeypatch, shakespeare, tiny_config, loss_record
):
    whole = parse(card_of(tiny_config, shakespeare, loss_record)).text
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert card_of(tiny_config, shakespeare, loss_record) == whole.lstrip("\n")


def test_the_card_of_a_shakespeare_model_names_its_sources(shakespeare, loss_record):
    text = parse(card_of(GPTConfig(), shakespeare, loss_record)).text
    assert "10,788,929 parameters" in text
    assert "6 pre-norm blocks of 6 attention heads" in text
    assert "256 characters of context and knows 65 different" in text
    assert "verse in the manner of Shakespeare" in text
    assert "github.com/karpathy/char-rnn" in text
    assert "github.com/TejasKalsait/microGPT" in text
    assert TINY_SHAKESPEARE_SHA256 in text
    assert "head_size^-0.5" in text


@pytest.mark.parametrize(
    ("preset", "model", "missing"),
    [
        ("phase1", "3 blocks of", "It has no residual connections and no LayerNorm."),
        ("phase2", "3 blocks of", "It has no LayerNorm."),
        ("phase3", "3 pre-norm blocks of", "It has no LayerNorm before the head."),
        ("phase4", "channels, a final LayerNorm and an untied linear head.\nIt sees", ""),
    ],
)
def test_the_card_names_the_parts_that_a_model_lacks(training, loss_record, preset, model, missing):
    config = PRESETS[preset].model
    text = card_of(config, training, loss_record)
    assert model in text
    assert missing in text and ("It has no" in text) == bool(missing)
    assert ("final LayerNorm" in text) == (config.norm == "all")
    for name, value in config.to_dict().items():
        assert f"\n| {name} | {value} |" in text


def test_the_card_mentions_the_residual_stream_only_if_the_model_has_one(training, loss_record):
    config = dataclasses.replace(training.config, init="small")
    small = dataclasses.replace(training, config=config)
    for preset in ("phase1", "phase2"):
        text = card_of(PRESETS[preset].model, small, loss_record)
        assert ("residual stream with zeros" in text) == PRESETS[preset].model.residual


def test_the_card_of_another_text_names_that_text(training, tiny_config, model, loss_record):
    card = parse(card_of(tiny_config, training, loss_record))
    assert card.data.language is None
    assert card.data.license is None
    assert card.data.eval_results[0].dataset_name == "words.txt, last 10 %"
    assert "Shakespeare" not in card.text
    assert "`words.txt`; SHA-256 `" + "ab" * 32 in card.text
    assert f"{model.parameter_count():,} parameters" in card.text
    assert f"knows {tiny_config.vocab_size}" in card.text


def test_the_card_lists_every_setting_and_the_run(training, tiny_config, loss_record):
    text = card_of(tiny_config, training, loss_record)
    for name, value in training.config.to_dict().items():
        assert f"\n| {name} | {value} |" in text
    assert f"\n| dropout | {tiny_config.dropout} |" in text
    assert f"\n    {training.command}\n" in text
    for fact in (training.hardware, training.torch, training.finished, training.preset):
        assert f"`{fact}`" in text
    assert "after 20 of\n20 steps: 1,280 characters in 1 s" in text


def test_the_card_names_the_commit_and_the_speed_if_they_are_known(
    training, tiny_config, loss_record
):
    known = dataclasses.replace(training, matmul_flops=1280 * flops_per_character(tiny_config) * 8)
    text = card_of(tiny_config, known, loss_record)
    assert f"\nThe code is that of commit `{training.commit}`.\n" in text
    assert "That is 1,280 characters/s, and 12.5% of the speed of large\nmatrix" in text
    unknown = dataclasses.replace(training, commit="unknown", matmul_flops=None)
    text = card_of(tiny_config, unknown, loss_record)
    assert "commit" not in text
    assert "matrix products" not in text


def test_the_card_names_the_initialisation(training, tiny_config, loss_record):
    def card(init: str) -> str:
        config = dataclasses.replace(training.config, init=init)
        return card_of(tiny_config, dataclasses.replace(training, config=config), loss_record)

    small, default = card("small"), card("pytorch")
    assert "three things differ" in small and "initialised from N(0, 0.02²)" in small
    assert "two things differ" in default and "0.02²" not in default


def test_the_card_gives_the_results_and_their_command(training, tiny_config, loss_record):
    text = card_of(tiny_config, training, loss_record)
    assert "| loss, nats per character | 2.5512 |" in text
    assert f"| bits per character | {2.5512 / math.log(2):.3f} |" in text
    assert "\n    python -m microgpt evaluate --checkpoint DIR --data FILE\n" in text
    assert "at step 20, over 5 random\nbatches of 4 windows" in text
    assert "training 2.4000, validation\n2.5500" in text


def test_an_interrupted_run_has_no_measured_loss(training, tiny_config, loss_record):
    stopped = dataclasses.replace(training, steps=10, val_loss_full=None)
    card = parse(card_of(tiny_config, stopped, loss_record[:2]))
    assert card.data.eval_results is None and "model_name" not in card.data.to_dict()
    assert "is not measured: the run was interrupted after 10 of\n20 steps" in card.text
    assert "bits per character" not in card.text
    assert "at step 0, over" in card.text
    assert "estimate" not in card_of(tiny_config, stopped, [])


def test_a_finished_run_without_a_measured_loss_is_not_called_interrupted(
    training, tiny_config, loss_record
):
    unmeasured = dataclasses.replace(training, val_loss_full=None)
    text = card_of(tiny_config, unmeasured, loss_record)
    assert "`val_loss_full` is not measured. This command measures it:\n\n    python" in text
    assert "interrupted" not in text


def test_only_weights_trained_on_shakespeare_have_a_licence(
    shakespeare, training, tiny_config, loss_record
):
    ours = card_of(tiny_config, shakespeare, loss_record)
    assert ours.endswith("## Licence\n\nMIT, code and weights.\n")
    theirs = card_of(tiny_config, training, loss_record)
    assert "license:" not in theirs
    licence = theirs.partition("## Licence")[2]
    assert "The code is MIT." in licence
    assert "Whoever trained these weights states" in licence


def test_the_card_of_a_task_says_what_its_text_is(training, tiny_config, loss_record):
    config = dataclasses.replace(training.config, task="repeats")
    made = dataclasses.replace(training, config=config, data="Repeated letters")
    card = parse(card_of(tiny_config, made, loss_record))
    assert card.data.eval_results[0].dataset_name == "Repeated letters, last 10 %"
    assert card.data.license == "mit" and card.data.language is None
    assert "The program makes them from the seed" in card.text
    assert "\n    python -m microgpt evaluate --checkpoint DIR\n" in card.text
    assert "--data FILE" not in card.text and "Shakespeare" not in card.text


@pytest.mark.parametrize(
    "text",
    [
        "quotes \" and ' and: colons # hashes",
        "---\nlicense: other\n---",
        "a\u2028b\x7f\x85\ud800\x00c",
        "`code` | pipe | <script>alert(1)</script>\n\n# heading",
        "```\n# heading",
        "😀 {braces} %s \\",
        "",
    ],
    ids=ascii,
)
def test_untrusted_text_is_escaped(training, tiny_config, loss_record, text):
    names = ("preset", "command", "commit", "data", "data_sha256", "finished", "hardware", "torch")
    untrusted = dataclasses.replace(training, **dict.fromkeys(names, text))
    escaped = card_of(tiny_config, untrusted, loss_record)
    escaped.encode("utf-8")
    card = parse(escaped)
    assert card.data.license is None
    assert card.data.eval_results[0].metric_value == 2.5512
    ordinary = card_of(tiny_config, training, loss_record)

    def headings(card: str) -> list[str]:
        return [line for line in card.splitlines() if line.startswith(("#", "---", "```"))]

    assert headings(escaped) == headings(ordinary)
    # Outside code, markup would be rendered.
    plain = "\n".join(line for line in card.text.splitlines() if not line.startswith("    "))
    assert "script" not in "".join(plain.split("`")[::2])
    assert plain.count("`") % 2 == 0
