"""Every page through Streamlit's own test runner, from app.py, on a real checkpoint."""

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from microgpt import checkpoint

PAGES = ["pages/generate.py", "pages/attention.py", "pages/loss_record.py"]


@pytest.fixture
def app(monkeypatch, tiny_checkpoint):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tiny_checkpoint))
    return AppTest.from_file("../app.py", default_timeout=60)


def errors(app):
    return [error.value.replace("\\", "") for error in app.error]


def provenance(app):
    shown = " ".join(e.value for e in [*app.sidebar.markdown, *app.sidebar.caption])
    return shown.replace("\\", "")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_with_a_result_and_no_complaint(app, page):
    app.run()
    if page != PAGES[0]:
        app.switch_page(page).run()
    assert not app.exception and not app.error and not app.warning
    assert app.title[0].value
    drawn = {PAGES[0]: app.code, PAGES[1]: app.get("plotly_chart"), PAGES[2]: app.metric}
    assert len(drawn[page]) > 0


def test_the_sidebar_says_which_checkpoint_and_where_it_comes_from(app, tiny_checkpoint, training):
    shown = provenance(app.run())
    for part in (str(tiny_checkpoint), training.hardware, training.finished, "2.5512"):
        assert part in shown


def test_generate_writes_what_its_settings_say(app):
    app.run()
    first = app.code[0].value
    app.text_area("prompt").set_value("ba do").run()
    app.number_input("length").set_value(30).run()
    app.button[-1].click().run()
    assert not app.exception
    written = app.code[0].value
    assert written.startswith("ba do") and len(written) == len("ba do") + 30
    assert written != first
    app.button[-1].click().run()
    assert app.code[0].value == written
    app.number_input("seed").set_value(2).run()
    assert app.code[0].value == written, "a setting alone must not take the text away"
    app.button[-1].click().run()
    assert app.code[0].value != written


@pytest.mark.parametrize("page, key", [(PAGES[0], "prompt"), (PAGES[1], "text")])
@pytest.mark.parametrize("text", ["", "€", "ba" * 40, "b", "ba\nÉ" * 3000])
def test_any_text_gives_a_result_or_a_sentence(app, page, key, text):
    app.run()
    if page != PAGES[0]:
        app.switch_page(page).run()
    app.text_area(key).set_value(text).run()
    assert not app.exception
    if page == PAGES[0] and "€" not in text and "É" not in text:
        app.number_input("length").set_value(5).run()
        app.button[-1].click().run()
        assert not app.exception and not app.error
        assert app.code[0].value == text + app.code[0].value[-5:]
    elif page == PAGES[1] and text in ("b", "ba" * 40):
        assert not app.error and app.get("plotly_chart")
    else:
        assert len(app.error) == 1


def test_unknown_characters_are_named_and_replaced_by_a_click(app):
    app.run()
    app.text_area("prompt").set_value("ba é€").run()
    assert (
        "é" in errors(app)[0]
        and "€" in errors(app)[0]
        and "position 4" in errors(app)[0].replace("\\", "")
    )
    next(b for b in app.button if b.label == "Replace them").click().run()
    assert app.text_area("prompt").value == "ba e"
    assert not app.error


def test_the_head_chosen_is_the_head_drawn(app):
    app.run()
    app.switch_page(PAGES[1]).run()
    first = app.get("plotly_chart")[0].proto.spec
    app.number_input("head").set_value(3).run()
    app.number_input("layer").set_value(2).run()
    assert app.get("plotly_chart")[0].proto.spec != first
    assert any(s.value == "Layer 2, head 3" for s in app.subheader)


def test_a_choice_beyond_the_checkpoint_is_brought_within_it(app):
    app.session_state["layer"] = 6
    app.session_state["top_k"] = 65
    app.run()
    assert not app.exception
    app.switch_page(PAGES[1]).run()
    assert not app.exception and app.number_input("layer").value == 2


def test_settings_survive_a_visit_to_another_page(app):
    app.run()
    app.text_area("prompt").set_value("ke li").run()
    app.slider("temperature").set_value(1.5).run()
    app.switch_page(PAGES[2]).run()
    app.switch_page(PAGES[0]).run()
    assert app.text_area("prompt").value == "ke li"
    assert app.slider("temperature").value == 1.5


def test_a_folder_that_is_no_checkpoint_gives_one_sentence(app, monkeypatch, tmp_path):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tmp_path))
    app.run()
    assert not app.exception
    said = [e.value for e in [*app.warning, *app.error]]
    assert any("config" in sentence for sentence in said)


def test_a_malformed_repo_gives_one_sentence_and_keeps_the_page(app):
    app.run()
    app.sidebar.text_input[0].set_value("no repo at all").run()
    assert not app.exception and len(app.code) == 1
    assert "user/name" in errors(app)[0]


def test_a_folder_that_was_written_anew_is_read_anew(
    app, monkeypatch, tmp_path, model, tokenizer, loss_record, training
):
    folder = tmp_path / "mine"
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
    checkpoint.save(folder, model, tokenizer, loss_record, training, "card")
    assert "20 steps" in provenance(app.run())
    longer = replace(training, steps=4321)
    checkpoint.save(folder, model, tokenizer, loss_record, longer, "card")
    assert "4,321 steps" in provenance(app.run())
