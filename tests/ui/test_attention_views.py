"""The Attention page's choice of a map, its badges and what is taken home, on real checkpoints."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from microgpt import checkpoint
from microgpt.analysis.attention import attention_maps
from microgpt.analysis.head_scores import BADGE_FROM
from microgpt.analysis.heads import text_scores
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.charts import attention as attention_charts

PAGE = "pages/attention.py"
TEXT = "ba do ba do"


@pytest.fixture
def opened(monkeypatch, tiny_checkpoint):
    """Open the Attention page's tab on a checkpoint, with a query string."""

    def start(folder=tiny_checkpoint, tab="All heads", **query):
        monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
        app = AppTest.from_file("../../app.py", default_timeout=60)
        for key, value in query.items():
            app.query_params[key] = value
        app.run()
        app.switch_page(PAGE)
        app.session_state["attention_view"] = tab
        return app.run()

    return start


def title(app):
    names = ("Layer ", "Mean of ")
    return next(each.value for each in app.subheader if each.value.startswith(names))


def captions(app):
    return " ".join(caption.value for caption in app.caption)


def component(app):
    return json.loads(app.get("bidi_component")[0].proto.json)


def overview(app):
    return app.get("bidi_component")[1].proto.bytes


def drawn(app):
    return [chart.proto.spec for chart in app.get("plotly_chart")]


def test_a_checkpoint_opens_on_its_costliest_head_and_says_so(opened, scored):
    app = opened(scored(2, 3))
    assert not app.exception and title(app) == "Layer 2, head 3"
    assert "Opens on layer 2, head 3: switched off, it costs the most loss" in captions(app)
    assert "+0.12 nats" in captions(app)
    assert (component(app)["layer"], component(app)["head"]) == (1, 2)


def test_a_checkpoint_without_scores_opens_on_the_first_head(opened):
    app = opened()
    assert title(app) == "Layer 1, head 1" and "Opens on" not in captions(app)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"layer": "1", "head": "2"}, "Layer 1, head 2"),
        ({"layer": "1"}, "Layer 1, head 3"),
        ({"layer": "1", "head": "mean"}, "Mean of layer 1"),
        ({"layer": "mean", "head": "2"}, "Mean of all heads"),
        ({"layer": "7", "head": "none"}, "Layer 2, head 3"),
    ],
    ids=str,
)
def test_a_link_wins_over_the_costliest_head(opened, scored, query, expected):
    app = opened(scored(2, 3), **query)
    assert not app.exception and title(app) == expected


def test_another_checkpoint_opens_on_its_own_head(opened, scored, monkeypatch):
    first, second = scored(2, 3, "first"), scored(1, 2, "second")
    app = opened(first)
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(second))
    assert title(app.run()) == "Layer 1, head 2"
    app.selectbox("layer").set_value(2).run()
    assert title(app) == "Layer 2, head 2"
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(first))
    assert title(app.run()) == "Layer 2, head 2", "what was chosen stays"


def test_a_link_to_the_first_head_wins_over_a_checkpoint_that_comes_later(
    opened, scored, tiny_checkpoint, monkeypatch
):
    app = opened(tiny_checkpoint, layer="1", head="1")
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(scored(2, 3)))
    assert title(app.run()) == "Layer 1, head 1"


@pytest.mark.parametrize("tab", ["All heads", "What they do", "Compare"])
def test_a_mean_is_drawn_like_a_head(opened, tab):
    app = opened(tab=tab)
    seen = [drawn(app)]
    app.selectbox("head").set_value("mean").run()
    assert not app.exception and title(app) == "Mean of layer 1"
    seen.append(drawn(app))
    app.selectbox("layer").set_value("mean").run()
    assert not app.exception and title(app) == "Mean of all heads"
    assert app.selectbox("head").disabled and app.selectbox("head").value == "mean"
    seen.append(drawn(app))
    app.selectbox("layer").set_value(2).run()
    assert title(app) == "Mean of layer 2" and not app.selectbox("head").disabled
    assert drawn(app) not in seen and seen[0] != seen[1] != seen[2] != seen[0]


def test_the_strip_of_a_mean_has_it_among_its_stripes(opened):
    app = opened(tab="On the text", layer="mean", head="mean")
    strip = component(app)
    assert strip["names"] == ["layer 1", "layer 2", "mean"] and strip["chosen"] == 2
    app.selectbox("layer").set_value(2).run()
    assert component(app)["names"] == ["head 1", "head 2", "head 3", "mean"]
    assert component(app)["chosen"] == 3
    app.selectbox("head").set_value(2).run()
    assert component(app)["names"] == ["head 1", "head 2", "head 3"]


def test_the_stages_of_a_mean_ask_for_a_head(opened):
    app = opened(tab="Stages", head="mean")
    assert not app.exception and "choose one head" in app.info[0].value and not drawn(app)
    app.selectbox("head").set_value(2).run()
    assert title(app) == "Layer 1, head 2" and drawn(app) and not app.info


def test_a_mean_is_that_of_the_maps(opened, tiny_checkpoint):
    app = opened(tiny_checkpoint, text=TEXT, head="mean")
    loaded = checkpoint.load(tiny_checkpoint)
    weights = attention_maps(loaded.model, loaded.tokenizer.encode(TEXT)).weights
    image = np.asarray(Image.open(io.BytesIO(overview(app))))
    size = len(TEXT)
    assert image.shape == (3 * size, 4 * size)

    def shown(row, column):
        return image[row * size : (row + 1) * size, column * size : (column + 1) * size]

    def levels(weights):
        alone = Image.open(
            io.BytesIO(attention_charts.attention_overview(weights[None, None].numpy()))
        )
        return np.asarray(alone)

    for layer in range(2):
        for column, each in enumerate([*weights[layer], weights[layer].mean(dim=0)]):
            np.testing.assert_array_equal(shown(layer, column), levels(each))
    np.testing.assert_array_equal(shown(2, 3), levels(weights.mean(dim=(0, 1))))
    np.testing.assert_array_equal(shown(2, 0), levels(torch.zeros(size, size)))


def test_what_a_head_is_worth_is_tabled(opened, scored, tiny_checkpoint):
    app = opened(scored(2, 1), "What they do")
    worth = app.dataframe[0].value["loss when off (nats)"]
    assert worth.tolist() == [0, 0, 0, 0.1234, 0, 0]
    assert "over 10 positions of the validation split" in captions(app)
    app.segmented_control("scores_from").set_value("this text").run()
    assert app.dataframe[0].value["loss when off (nats)"].tolist() == worth.tolist()
    app = opened(tiny_checkpoint, "What they do")
    assert "loss when off (nats)" not in app.dataframe[0].value


def test_one_head_has_means_that_are_itself(opened, tmp_path, tokenizer, loss_record, training):
    config = GPTConfig(tokenizer.vocab_size, block_size=16, n_layer=1, n_head=1, n_embd=8)
    torch.manual_seed(0)
    checkpoint.save(tmp_path / "one", Checkpoint(GPT(config), tokenizer, loss_record, training))
    app = opened(tmp_path / "one")
    picture = np.asarray(Image.open(io.BytesIO(overview(app))))
    one, mean = np.hsplit(picture[: len(picture) // 2], 2)
    np.testing.assert_array_equal(one, mean)
    app.selectbox("layer").set_value("mean").run()
    assert not app.exception and title(app) == "Mean of all heads"


def badges(app):
    return component(app)["badges"]


def badges_of(scores):
    found = [[scores.badge(layer, head) for head in range(3)] for layer in range(2)]
    return [[f"{badge.kind} {badge.score:.2f}" if badge else "" for badge in row] for row in found]


def scores_on(folder, text):
    loaded = checkpoint.load(folder)
    ids = loaded.tokenizer.encode(text)
    return text_scores(attention_maps(loaded.model, ids).weights, ids, loaded.tokenizer)


def test_badges_are_of_the_split_or_of_the_text(opened, scored):
    folder = scored(1, 1)
    app = opened(folder, text=TEXT)
    kept = badges_of(checkpoint.load(folder).head_scores)
    assert badges(app) == kept
    assert f"where that takes {BADGE_FROM:g} of its attention" in captions(app)
    app.segmented_control("scores_from").set_value("this text").run()
    on_text = badges_of(scores_on(folder, TEXT))
    assert not app.exception and badges(app) == on_text != kept
    app.text_area("text").set_value("mumumumu").run()
    assert badges(app) == badges_of(scores_on(folder, "mumumumu")) != on_text
    app.text_area("text").set_value("b").run()
    assert not app.exception and not any(badge for row in badges(app) for badge in row)
    assert "A text of two characters or more gives each head a badge" in captions(app)


def test_a_link_says_whose_badges(opened, scored):
    folder = scored(1, 1)
    app = opened(folder, text=TEXT, scores_from="this text")
    assert badges(app) == badges_of(scores_on(folder, TEXT))


def test_a_checkpoint_without_scores_has_the_texts_own_badges(opened, tiny_checkpoint):
    app = opened(tiny_checkpoint, text=TEXT)
    assert badges(app) == badges_of(scores_on(tiny_checkpoint, TEXT))
    assert "scores_from" not in [control.key for control in app.segmented_control]


def test_a_row_of_the_map_is_tabled_for_the_query_chosen(opened, tiny_checkpoint):
    app = opened(tiny_checkpoint, text=TEXT)
    loaded = checkpoint.load(tiny_checkpoint)
    weights = attention_maps(loaded.model, loaded.tokenizer.encode(TEXT)).weights

    def shown():
        table = app.dataframe[0].value
        return dict(zip(table["position"], table["attention (share)"], strict=True))

    def row(query, weights):
        return {at + 1: pytest.approx(float(weights[query, at])) for at in range(query + 1)}

    assert shown() == row(10, weights[0, 0])
    assert app.dataframe[0].value["attention (share)"].is_monotonic_decreasing
    app.slider("query").set_value(4).run()
    assert shown() == row(3, weights[0, 0])
    app.selectbox("head").set_value("mean").run()
    assert not app.exception and shown() == row(3, weights[0].mean(dim=0))
    app.text_area("text").set_value("b").run()
    assert not app.exception and shown() == {1: 1}


@pytest.mark.parametrize("tab", ["All heads", "Stages"])
def test_the_query_stays_the_last_until_it_is_chosen(opened, tab):
    app = opened(tab=tab, text=TEXT)
    assert app.slider("query").value == 11
    app.text_area("text").set_value("ba do ba do ba").run()
    assert app.slider("query").value == 14
    app.slider("query").set_value(5).run()
    app.text_area("text").set_value("ba do ba").run()
    assert app.slider("query").value == 5


def test_both_texts_to_compare_are_cut_where_maps_are_large_and_the_page_says_so(
    opened, tmp_path, loss_record, training
):
    config = GPTConfig(vocab_size=2, block_size=256, n_layer=16, n_head=16, n_embd=16)
    torch.manual_seed(0)
    deep, tokenizer = tmp_path / "deep", CharTokenizer("ab")
    checkpoint.save(deep, Checkpoint(GPT(config), tokenizer, loss_record, training))
    app = opened(deep, "Compare", text="ab", other_text="ab" * 128)
    assert not app.exception and app.slider("query_right").value == 128
    assert captions(app).count("the page shows the last 128 characters") == 1


def test_a_malformed_repo_to_compare_with_is_one_sentence(opened):
    app = opened(tab="Compare")
    both = drawn(app)
    app.selectbox("compared_checkpoint").set_value("one from the Hub").run()
    assert not app.exception and not app.error and drawn(app) == both
    app.text_input("compared_repo").set_value("no repo at all").run()
    assert not app.exception and drawn(app) == both
    assert len(app.error) == 1 and "user/name" in app.error[0].value
    app.selectbox("compared_checkpoint").set_value("this checkpoint").run()
    assert not app.error and drawn(app) == both


def test_the_menu_saves_the_image_chosen_under_the_maps_name(opened):
    app = opened(layer="2", head="mean")

    def options():
        return json.loads(app.get("plotly_chart")[0].proto.config)["toImageButtonOptions"]

    assert (options()["format"], options()["filename"]) == ("svg", "microgpt-mean-of-layer-2")
    app.segmented_control("image").set_value("PNG").run()
    assert not app.exception and options()["format"] == "png"
