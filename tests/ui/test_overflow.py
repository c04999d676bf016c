"""What the pages show for a model whose activations overflow."""

import pytest

from tests.ui.shown import COMPARE, CURVES, PAGES, errors


@pytest.mark.parametrize(
    ("page", "tab"),
    list(zip(PAGES, ("view", "attention_view", "record_view"), strict=True)),
)
def test_a_model_that_overflows_is_one_error_on_every_tab(
    app, monkeypatch, overflowing_checkpoint, page, tab
):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(overflowing_checkpoint))
    app.run()
    app.switch_page(page).run()
    for name in [each.label for each in app.tabs]:
        app.session_state[tab] = name
        app.run()
        overflow = "the activations of this model overflow on this text; use another checkpoint."
        computes = name not in (CURVES, COMPARE)  # the others show a record
        assert errors(app) == [overflow] * computes
        assert not app.exception
        for shown in (app.caption, app.markdown, app.metric):
            assert "nan" not in " ".join(str(each.value) for each in shown).split()
