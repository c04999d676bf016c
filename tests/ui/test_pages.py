"""Every page through Streamlit's own test runner, from app.py, on a real checkpoint."""

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.data import TINY_SHAKESPEARE_SHA256
from microgpt.engine import Decoder
from microgpt.generate import generate
from microgpt.hub import load_folder
from microgpt.hub.copies import Origin
from microgpt.model import GPT
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.generate.controls import EXAMPLES
from microgpt.ui.generate.record import record_csv, record_json

RECORD = (
    '{"format": "microGPT text", "checkpoint": "x", "commit": "", "weights_sha256": "", '
    '"prompt": "ba", "settings": {"temperature": 1, "top_k": 0, "top_p": 1, "seed": 3, '
    '"exact": false}, "length": 1e2}'
)
PAGES = ["pages/generate.py", "pages/attention.py", "pages/loss_record.py"]


@pytest.fixture
def app(monkeypatch, tiny_checkpoint):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tiny_checkpoint))
    return AppTest.from_file("../../app.py", default_timeout=60)


def errors(app):
    return [error.value.replace("\\", "") for error in app.error]


def press(app, label):
    next(button for button in app.button if button.label == label).click().run()


def shown_texts(app):
    """The texts that answer hover and tap: what stands before each, and its characters."""
    texts = []
    for element in app.get("bidi_component"):
        data = json.loads(element.proto.json)
        if "records" in data:
            rows = np.frombuffer(base64.b64decode(data["records"]), "<u2")
            ids = rows.reshape(-1, 6 + 2 * data["alternatives"])[:, 0]
            texts.append((data["before"], "".join(data["characters"][i] for i in ids)))
    return texts


def written(app):
    return "".join(shown_texts(app)[0])


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
    drawn = {PAGES[0]: "bidi_component", PAGES[1]: "plotly_chart", PAGES[2]: "metric"}
    assert len(app.get(drawn[page])) > 0


def test_the_sidebar_says_which_checkpoint_and_where_it_comes_from(app, tiny_checkpoint, training):
    shown = provenance(app.run())
    for part in (str(tiny_checkpoint), training.hardware, training.finished, "2.5512"):
        assert part in shown


def test_generate_writes_what_its_settings_say(app):
    app.run()
    first = written(app)
    app.text_area("prompt").set_value("ba do").run()
    app.number_input("length").set_value(30).run()
    press(app, "Write")
    assert not app.exception
    text = written(app)
    assert text.startswith("ba do") and len(text) == len("ba do") + 30
    assert text != first
    press(app, "Write")
    assert written(app) == text
    app.text_area("prompt").set_value("ba").run()
    assert any("from an earlier prompt" in caption.value for caption in app.caption)
    app.text_area("prompt").set_value("ba do").run()
    assert not any("earlier" in caption.value for caption in app.caption)
    app.number_input("seed").set_value(2).run()
    assert written(app) == text, "a setting alone must not take the text away"
    assert any("from earlier settings" in caption.value for caption in app.caption)
    press(app, "Write")
    assert written(app) != text


def test_a_text_can_be_exact_past_the_window(app, tiny_checkpoint):
    loaded = checkpoint.load(tiny_checkpoint)
    window, prompt = loaded.config.block_size, "ba do"
    app.run()
    app.text_area("prompt").set_value(prompt).run()
    app.number_input("length").set_value(4 * window).run()
    press(app, "Write")
    sliding = written(app)
    app.toggle("exact").set_value(True).run()
    press(app, "Write")
    exact = written(app)
    assert exact[: window + 1] == sliding[: window + 1] and exact != sliding
    config = SamplingConfig(exact=True)
    ids = loaded.tokenizer.encode(prompt)
    stream = generate(Decoder(loaded.model), loaded.tokenizer, ids, 4 * window, config)
    assert exact == prompt + "".join(character.text for character in stream)


def test_the_path_of_the_engine_that_wrote_is_named(app):
    app.run()
    press(app, "Write")
    paths = "PyTorch|NumPy|C, 1 thread|C, [0-9]+ threads"
    assert any(
        re.search(rf"characters/s · engine: ({paths}), float32 ·", caption.value)
        for caption in app.caption
    )


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
        press(app, "Write")
        assert not app.exception and not app.error
        assert written(app) == text + written(app)[-5:]
    elif page == PAGES[1] and text in ("b", "ba" * 40):
        assert not app.error and app.get("plotly_chart")
    elif text == "":
        assert any("type at least one character" in caption.value for caption in app.caption)
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
    app.selectbox("head").set_value(3).run()
    app.selectbox("layer").set_value(2).run()
    assert app.get("plotly_chart")[0].proto.spec != first
    assert any(s.value == "Layer 2, head 3" for s in app.subheader)


def on_tab(app, tab, page=PAGES[1], key="attention_view"):
    app.run()
    app.switch_page(page).run()
    app.session_state[key] = tab
    return app.run()


def test_a_maps_colours_follow_its_scale(app):
    on_tab(app, "All heads")
    specs = {}
    for scale in ("linear", "log", "row"):
        app.segmented_control("scale").set_value(scale).run()
        specs[scale] = app.get("plotly_chart")[0].proto.spec
    assert not app.exception and len(set(specs.values())) == 3


def test_the_strip_holds_all_heads_of_the_layer_chosen(app):
    on_tab(app, "On the text")
    strip = json.loads(app.get("bidi_component")[0].proto.json)
    app.selectbox("layer").set_value(2).run()
    other = json.loads(app.get("bidi_component")[0].proto.json)
    t = len(strip["labels"])
    assert len(base64.b64decode(strip["maps"])) == 3 * t * (t + 1) // 2
    assert other["maps"] != strip["maps"]
    app.selectbox("head").set_value(3).run()
    assert json.loads(app.get("bidi_component")[0].proto.json)["chosen"] == 2


def test_the_stages_are_of_the_query_and_head_chosen(app):
    on_tab(app, "Stages")
    table = app.dataframe[0].value
    assert table["softmax"].sum() == pytest.approx(1)
    assert len(table) == 16, "as much as the window holds"
    app.slider("query").set_value(4).run()
    shorter = app.dataframe[0].value
    assert len(shorter) == 4 and shorter["softmax"].sum() == pytest.approx(1)
    app.selectbox("head").set_value(2).run()
    assert app.dataframe[0].value["q·k"].tolist() != shorter["q·k"].tolist()
    app.text_area("text").set_value("b").run()
    assert not app.exception and app.dataframe[0].value["softmax"].tolist() == [1]


def test_heads_are_combined_as_chosen(app):
    on_tab(app, "Combined")
    specs = [app.get("plotly_chart")[0].proto.spec]
    app.number_input("up_to").set_value(1).run()
    specs.append(app.get("plotly_chart")[0].proto.spec)
    for how in ("mean", "maximum"):
        app.segmented_control("combine").set_value(how).run()
        specs.append(app.get("plotly_chart")[0].proto.spec)
    app.multiselect("combined_heads").set_value(["L1 H1"]).run()
    specs.append(app.get("plotly_chart")[0].proto.spec)
    assert not app.exception and len(set(specs)) == 5
    app.multiselect("combined_heads").set_value([]).run()
    assert not app.exception and "Choose at least one head." in [c.value for c in app.caption]


def test_what_heads_do_is_tabled_for_the_text(app):
    on_tab(app, "What they do")
    table = app.dataframe[0].value
    assert len(table) == 6 and table["itself"].between(0, 1).all()
    drawn = [chart.proto.spec for chart in app.get("plotly_chart")]
    app.selectbox("head").set_value(2).run()
    assert [chart.proto.spec for chart in app.get("plotly_chart")] != drawn
    app.text_area("text").set_value("ba do ba do").run()
    assert not app.exception
    assert app.dataframe[0].value["induction"].tolist() != table["induction"].tolist()
    app.text_area("text").set_value("b").run()
    assert not app.exception and any("at least two" in c.value for c in app.caption)


def test_heads_are_switched_off(app):
    on_tab(app, "Switchboard")
    (whole,) = shown_texts(app)  # nothing is off yet
    drawn = app.get("plotly_chart")[0].proto.spec
    next(pills for pills in app.pills if pills.label == "Layer 1").set_value([1, 3]).run()
    assert not app.exception
    assert app.get("plotly_chart")[0].proto.spec != drawn
    assert app.metric[0].delta != "+0.000" and float(app.metric[1].value) > 0
    before, after = shown_texts(app)
    assert before == whole and after != whole
    press(app, "Switch each head off by itself")
    assert not app.exception
    ranked = app.dataframe[-1].value
    assert len(ranked) == 6 and ranked.iloc[:, 3].is_monotonic_decreasing
    press(app, "All on")
    assert shown_texts(app) == [whole]


def test_two_texts_and_two_checkpoints_are_compared(app):
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


def test_a_choice_beyond_the_checkpoint_is_brought_within_it(app):
    app.session_state["layer"] = 6
    app.session_state["top_k"] = 65
    app.run()
    assert not app.exception
    app.switch_page(PAGES[1]).run()
    assert not app.exception and app.selectbox("layer").value == 2


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
    assert not app.exception and len(shown_texts(app)) == 1
    assert "user/name" in errors(app)[0]


def test_a_folder_that_was_written_anew_is_read_anew(
    app, monkeypatch, tmp_path, model, tokenizer, loss_record, training
):
    folder = tmp_path / "mine"
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
    checkpoint.save(folder, Checkpoint(model, tokenizer, loss_record, training))
    assert "20 steps" in provenance(app.run())
    longer = replace(training, steps=4321)
    checkpoint.save(folder, Checkpoint(model, tokenizer, loss_record, longer))
    assert "4,321 steps" in provenance(app.run())


def test_settings_nobody_changed_follow_another_checkpoint(
    app, monkeypatch, tmp_path, tiny_checkpoint, tokenizer, loss_record, training
):
    other = CharTokenizer("\n ,:ABCDEFGHILMNOPRSTabcdefghijklmnopqrstuvw")
    config = GPTConfig(other.vocab_size, block_size=16, n_layer=1, n_head=1, n_embd=8)
    torch.manual_seed(0)
    checkpoint.save(tmp_path / "other", Checkpoint(GPT(config), other, loss_record, training))
    app.run()
    assert app.slider("top_k").value == tokenizer.vocab_size
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tmp_path / "other"))
    app.run()
    assert not app.error and not app.exception
    assert app.slider("top_k").value == other.vocab_size
    assert app.text_area("prompt").value.startswith("FIRST SAILOR:")
    app.slider("top_k").set_value(5)
    app.text_area("prompt").set_value("a").run()
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tiny_checkpoint))
    app.run()
    assert app.slider("top_k").value == 5 and app.text_area("prompt").value == "a"


def test_a_vocabulary_of_one_character(app, monkeypatch, tmp_path, loss_record, training):
    config = GPTConfig(vocab_size=1, block_size=4, n_layer=1, n_head=1, n_embd=4)
    torch.manual_seed(0)
    folder = tmp_path / "one"
    checkpoint.save(folder, Checkpoint(GPT(config), CharTokenizer("a"), loss_record, training))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
    app.run()
    assert not app.exception and written(app).startswith("aaaa")


def test_the_original_is_a_reference_for_its_own_corpus_only(
    app, monkeypatch, tmp_path, model, tokenizer, loss_record, training
):
    app.run()
    app.switch_page(PAGES[2]).run()
    assert "the original" not in app.get("plotly_chart")[0].proto.spec
    ours = replace(training, data_sha256=TINY_SHAKESPEARE_SHA256)
    checkpoint.save(tmp_path / "ours", Checkpoint(model, tokenizer, loss_record, ours))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tmp_path / "ours"))
    app.run()
    assert "the original, validation 1.4815" in app.get("plotly_chart")[0].proto.spec


def test_maps_too_large_to_keep_are_cut_and_the_page_says_so(
    app, monkeypatch, tmp_path, loss_record, training
):
    config = GPTConfig(vocab_size=2, block_size=256, n_layer=16, n_head=16, n_embd=16)
    torch.manual_seed(0)
    checkpoint.save(
        tmp_path / "deep", Checkpoint(GPT(config), CharTokenizer("ab"), loss_record, training)
    )
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tmp_path / "deep"))
    app.run()
    app.switch_page(PAGES[1]).run()
    app.text_area("text").set_value("ab" * 128).run()
    assert not app.exception
    assert any("last 128 characters" in caption.value for caption in app.caption)


@pytest.mark.parametrize(("count", "others"), [(128, False), (129, True)])
def test_the_characters_that_a_model_knows_are_named(
    app, monkeypatch, tmp_path, loss_record, training, count, others
):
    tokenizer = CharTokenizer("".join(map(chr, range(0x4E00, 0x4E00 + count))))
    config = GPTConfig(vocab_size=count, block_size=16, n_layer=1, n_head=1, n_embd=8)
    torch.manual_seed(0)
    checkpoint.save(tmp_path / "known", Checkpoint(GPT(config), tokenizer, loss_record, training))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tmp_path / "known"))
    app.run()
    app.text_area("prompt").set_value("a").run()
    (known,) = (each.value for each in app.caption if each.value.startswith("It knows"))
    assert known == f"It knows {tokenizer.characters[:128]}" + " and others" * others


@pytest.mark.parametrize("length", ["600", "40"])
def test_a_text_shown_while_a_checkpoint_is_missing_is_from_no_earlier_settings(app, length):
    app.query_params["repo"] = "no repo at all"
    app.query_params["length"] = length
    app.run()
    assert not app.exception and len(app.error) == 1
    app.run()
    assert len(shown_texts(app)[0][1]) == min(400, int(length))
    assert not any("earlier" in caption.value for caption in app.caption)


def test_of_a_text_too_long_the_beginning_is_taken_and_the_page_says_so(app):
    app.query_params["view"] = "Score a text"
    app.run()
    app.text_area("scored").set_value("ba do" * 2500).run()
    assert not app.exception and not app.error
    assert any("12,500 characters the first 10,000" in caption.value for caption in app.caption)
    ((before, text),) = shown_texts(app)
    assert before + text == "ba do" * 2000


def test_side_by_side_says_that_it_writes_less(app):
    app.query_params["view"] = "Side by side"
    app.query_params["length"] = "600"
    app.run()
    assert any("each writes 400 characters" in caption.value for caption in app.caption)
    assert [len(text) for _, text in shown_texts(app)] == [400, 400]
    app.number_input("length").set_value(40).run()
    assert not any("each writes" in caption.value for caption in app.caption)


def test_a_record_tells_nothing_of_the_servers_folders(app, tiny_checkpoint):
    app.run()
    text = app.session_state["written"]
    loaded = load_folder(tiny_checkpoint)
    for record in (record_json(loaded, text), record_csv(loaded, text)):
        assert str(tiny_checkpoint) not in record and tiny_checkpoint.name in record


def test_an_example_is_written_at_once(app, monkeypatch, tmp_path, loss_record, training):
    tokenizer = CharTokenizer("".join(sorted(set("".join(EXAMPLES.values())))))
    config = GPTConfig(tokenizer.vocab_size, block_size=64, n_layer=1, n_head=1, n_embd=8)
    torch.manual_seed(0)
    folder = tmp_path / "examples"
    checkpoint.save(folder, Checkpoint(GPT(config), tokenizer, loss_record, training))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
    app.run()
    for name, text in EXAMPLES.items():
        press(app, name)
        assert app.text_area("prompt").value == text
        assert written(app).startswith(text) and len(written(app)) == len(text) + 400
        assert not app.exception


def test_the_sliders_move_what_could_come_next(app):
    app.run()
    before = app.get("plotly_chart")[0].proto.spec
    text = written(app)
    app.slider("top_k").set_value(3).run()
    assert app.get("plotly_chart")[0].proto.spec != before
    assert any("3 of 28 characters can be drawn" in caption.value for caption in app.caption)
    app.slider("top_p").set_value(0.0).run()
    assert any("1 of 28 characters can be drawn" in caption.value for caption in app.caption)
    assert written(app) == text


def test_another_seed_writes_another_text(app):
    app.run()
    before = written(app)
    press(app, "Another seed")
    assert not app.exception
    assert app.number_input("seed").value != 1 and written(app) != before


def test_a_text_goes_on_with_another_character(app):
    app.run()
    first = app.session_state["written"]
    before, text = shown_texts(app)[0]
    app.session_state["chosen"] = (first, 7)
    app.run()
    assert any(each.value == "What else could stand at character 8" for each in app.subheader)
    instead = app.selectbox(f"instead of 7 in {first.name}")
    assert len(instead.options) == 27
    instead.select_index(3).run()
    press(app, "Branch here")
    assert not app.exception
    (new_before, new), (old_before, old) = shown_texts(app)
    assert (old_before, old) == (before, text)
    assert new_before[:-1] == before + text[:7] and new_before[-1] != text[7]
    assert len(new) == 400 and app.text_area("prompt").value == new_before
    press(app, "Back to this one")
    assert shown_texts(app) == [(before, text)] and app.text_area("prompt").value == before


def test_a_new_text_leaves_the_place_chosen_in_the_old_one(app):
    app.run()
    app.session_state["chosen"] = (app.session_state["written"], 3)
    app.run()
    press(app, "Write")
    assert not app.exception
    assert any(each.value == "What could come after the prompt" for each in app.subheader)


def test_a_record_that_cuts_nothing_off_opens_with_the_whole_vocabulary(app):
    app.run()
    app.file_uploader("opened_record").upload("record.json", RECORD.encode()).run()
    assert not app.exception and not app.error
    assert app.slider("top_k").value == 28 and len(written(app)) == 102


def test_the_place_chosen_is_left_again(app):
    app.run()
    app.session_state["chosen"] = (app.session_state["written"], 0)
    app.run()
    press(app, "Close")
    assert any(each.value == "What could come after the prompt" for each in app.subheader)


def test_a_record_opens_again_with_its_text(app, tiny_checkpoint):
    app.run()
    for key, value in (("length", 30), ("seed", 5)):
        app.number_input(key).set_value(value)
    app.slider("temperature").set_value(1.3)
    app.text_area("prompt").set_value("ba do").run()
    press(app, "Write")
    first = app.session_state["written"]
    loaded = checkpoint.load(tiny_checkpoint, Origin("folder", "tiny"))
    record = record_json(loaded, first)
    text = written(app)
    other = AppTest.from_file("../../app.py", default_timeout=60).run()
    assert written(other) != text
    other.file_uploader("opened_record").upload("record.json", record.encode()).run()
    assert not other.exception and not other.error
    assert written(other) == text
    assert other.number_input("seed").value == 5 and other.slider("temperature").value == 1.3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"format": "microGPT text"}',
        b"[" * 100_000,
        RECORD.replace('"ba"', '"\\ud800"').encode(),
        RECORD.replace(', "commit": ""', "").encode(),
        RECORD.replace("1e2", "1e999").encode(),
        RECORD.replace('"x"', '"\\ud800/x"').replace('"commit": ""', '"commit": "main"').encode(),
    ],
)
def test_a_file_that_is_no_record_is_one_sentence(app, content):
    app.run()
    before = written(app)
    app.file_uploader("opened_record").upload("record.json", content).run()
    assert not app.exception
    assert errors(app) == ["The record cannot be opened: it is not a text's record.json."]
    assert written(app) == before
