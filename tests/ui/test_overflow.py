"""What the pages show for a model whose activations overflow."""

import pytest

from tests.ui.pages import COMPARE, CURVES, TITLES, errors, open_page, open_tab, tabs


@pytest.mark.parametrize("page", TITLES)
def test_a_model_that_overflows_is_one_error_on_every_tab(
    app, monkeypatch, overflowing_checkpoint, page
):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(overflowing_checkpoint))
    open_page(app, page)
    for name in tabs(app):
        open_tab(app, page, name)
        overflow = "the activations of this model overflow on this text; use another checkpoint."
        computes = name not in (CURVES, COMPARE)  # the others show a record
        assert errors(app) == [overflow] * computes
        for shown in (app.caption, app.markdown, app.metric):
            assert "nan" not in " ".join(str(each.value) for each in shown).split()
