"""The Context length tab of the Generate page."""

import math

import pytest
import torch

from microgpt import checkpoint
from microgpt.analysis.context_length import context_lengths, surprisal_by_context
from microgpt.hub import load_bundled
from microgpt.ui.cache.predictions import context_losses
from microgpt.ui.generate.context import PASSAGE
from tests.ui.pages import GENERATE, captions, charts, open_tab


def test_the_charts_follow_the_text(app):
    open_tab(app, GENERATE, "Context length")
    app.text_area("context_text").set_value("ba do ke li mu. ba do ke li mu.").run()
    assert not app.exception
    drawn = charts(app)
    assert "after 1" in app.dataframe[0].value and len(app.dataframe[0].value) == 30
    assert charts(app.run()) == drawn
    app.text_area("context_text").set_value("mu li ke do ba. mu li ke do ba.").run()
    assert not app.exception and charts(app) != drawn
    app.text_area("context_text").set_value("b").run()
    assert not app.exception and "at least two characters" in captions(app) and not charts(app)


def test_visitors_share_the_result(tiny_checkpoint):
    one, other = checkpoint.load(tiny_checkpoint), checkpoint.load(tiny_checkpoint)
    result = context_losses(one, "ba do ke li")
    assert result.surprisal.shape == (1, 10)
    assert context_losses(other, "ba do ke li") is result
    assert context_losses(one, "ba do ke mu") is not result


def test_the_tab_opens_with_the_result_of_the_checkpoint(app, monkeypatch, full_checkpoint):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(full_checkpoint))
    loaded = checkpoint.load(full_checkpoint)
    stored = loaded.context_losses
    open_tab(app, GENERATE, "Context length")
    assert app.text_area("context_text").value == loaded.tokenizer.decode(stored.ids)
    table = app.dataframe[0].value
    assert table["after 2"].tolist() == pytest.approx([math.exp(-1)] * 2, abs=1e-4)
    app.text_area("context_text").set_value("ba do").run()
    assert len(app.dataframe[0].value) == 4


def test_the_bundled_result_is_that_of_the_bundled_model():
    loaded = load_bundled()
    stored = loaded.context_losses
    assert loaded.tokenizer.decode(stored.ids) == PASSAGE
    few = surprisal_by_context(loaded.model, stored.ids, stored.surprisal.size(1), [1, 2, 4])
    torch.testing.assert_close(stored.surprisal[:3], few, atol=1e-3, rtol=0)
    assert stored.lengths == context_lengths(256)
