"""The frame of every page, from app.py."""

import pytest
from ui.shown import PAGES


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_with_a_result_and_no_complaint(app, page):
    app.run()
    if page != PAGES[0]:
        app.switch_page(page).run()
    assert not app.exception and not app.error and not app.warning
    assert app.title[0].value
    drawn = {PAGES[0]: "bidi_component", PAGES[1]: "plotly_chart", PAGES[2]: "metric"}
    assert len(app.get(drawn[page])) > 0


def test_settings_survive_a_visit_to_another_page(app):
    app.run()
    app.text_area("prompt").set_value("ke li").run()
    app.slider("temperature").set_value(1.5).run()
    app.switch_page(PAGES[2]).run()
    app.switch_page(PAGES[0]).run()
    assert app.text_area("prompt").value == "ke li"
    assert app.slider("temperature").value == 1.5


def test_a_choice_beyond_the_checkpoint_is_brought_within_it(app):
    app.session_state["layer"] = 6
    app.session_state["top_k"] = 65
    app.run()
    assert not app.exception
    app.switch_page(PAGES[1]).run()
    assert not app.exception and app.selectbox("layer").value == 2
