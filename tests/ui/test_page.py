"""What all pages share: the navigation, the header and the tabs."""

import re
import shutil

import pytest

from tests.ui.pages import APP, ATTENTION, GENERATE, LOSS_RECORD, TITLES, new_app, open_page

SCRIPTS = sorted(f"pages/{path.name}" for path in (APP.parent / "pages").glob("*.py"))
RESULTS = ("bidi_component", "dataframe", "plotly_chart", "metric")


def test_every_page_is_in_the_navigation():
    assert sorted(TITLES) == SCRIPTS


@pytest.mark.parametrize("page", SCRIPTS)
def test_a_page_opens_with_a_result_and_without_messages(app, page):
    open_page(app, page)
    assert not app.error and not app.warning
    assert app.title[0].value
    assert any(app.get(each) for each in RESULTS)


@pytest.mark.parametrize("page", SCRIPTS)
def test_a_page_passes_its_own_path_to_the_header(page):
    """page_header goes to app.py and from there back to the page that it was given."""
    script = (APP.parent / page).read_text(encoding="utf-8")
    assert re.search(rf'page_header\(\s*"{re.escape(page)}"', script)


EXTRA = """
import streamlit as st

from microgpt.ui.controls import control
from microgpt.ui.page import page_header, show_views

TAB = control("extra_view")
checkpoint = page_header("pages/extra.py", "Extra", "One more page.")
show_views(checkpoint, {"One": lambda loaded: st.metric("Layers", loaded.config.n_layer)}, TAB)
"""


def test_a_page_is_added_with_a_script_and_a_line_in_app_py(monkeypatch, tmp_path, tiny_checkpoint):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tiny_checkpoint))
    shutil.copytree(APP.parent / "pages", tmp_path / "pages")
    (tmp_path / "assets").symlink_to(APP.parent / "assets")
    (tmp_path / "pages" / "extra.py").write_text(EXTRA, encoding="utf-8")
    source = APP.read_text(encoding="utf-8")
    last = source.index("    ]\n")
    line = '        st.Page("pages/extra.py", title="Extra"),\n'
    (tmp_path / "app.py").write_text(source[:last] + line + source[last:], encoding="utf-8")
    app = new_app(tmp_path / "app.py").run()
    app.switch_page("pages/extra.py").run()
    assert not app.exception and app.title[0].value == "Extra" and app.metric[0].value == "2"


def test_settings_are_kept_while_another_page_is_open(app):
    app.run()
    app.text_area("prompt").set_value("ke li").run()
    app.slider("temperature").set_value(1.5).run()
    open_page(app, LOSS_RECORD)
    open_page(app, GENERATE)
    assert app.text_area("prompt").value == "ke li"
    assert app.slider("temperature").value == 1.5


def test_a_choice_beyond_the_checkpoint_is_limited_to_it(app):
    app.session_state["layer"] = 6
    app.session_state["top_k"] = 65
    app.run()
    assert not app.exception
    open_page(app, ATTENTION)
    assert app.selectbox("layer").value == 2
