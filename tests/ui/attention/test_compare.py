"""Two texts or two checkpoints."""

import torch

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer
from tests.ui.shown import captions, drawn, on_tab


def test_another_text_or_checkpoint_is_compared(app):
    on_tab(app, "Compare")
    left, right = (chart.proto.spec for chart in app.get("plotly_chart"))
    assert left != right
    app.text_area("other_text").set_value(app.text_area("text").value).run()
    left, right = (chart.proto.spec for chart in app.get("plotly_chart"))
    assert left == right
    app.selectbox("compared_checkpoint").select_index(1).run()
    assert not app.exception
    left, right = (chart.proto.spec for chart in app.get("plotly_chart"))
    assert left != right


def test_both_texts_with_too_large_maps_are_cut_with_one_note(
    opened, tmp_path, loss_record, training
):
    config = GPTConfig(vocab_size=2, block_size=256, n_layer=16, n_head=16, n_embd=16)
    torch.manual_seed(0)
    deep, tokenizer = tmp_path / "deep", CharTokenizer("ab")
    checkpoint.save(deep, Checkpoint(GPT(config), tokenizer, loss_record, training))
    app = opened(deep, "Compare", text="ab", other_text="ab" * 128)
    assert not app.exception and app.slider("query_right").value == 128
    assert captions(app).count("the page shows only the last 128 characters") == 1


def test_a_malformed_repo_is_an_error_and_the_maps_stay(opened):
    app = opened(tab="Compare")
    both = drawn(app)
    app.selectbox("compared_checkpoint").set_value("one from the Hub").run()
    assert not app.exception and not app.error and drawn(app) == both
    app.text_input("compared_repo").set_value("no repo at all").run()
    assert not app.exception and drawn(app) == both
    assert len(app.error) == 1 and "user/name" in app.error[0].value
    app.selectbox("compared_checkpoint").set_value("this checkpoint").run()
    assert not app.error and drawn(app) == both
