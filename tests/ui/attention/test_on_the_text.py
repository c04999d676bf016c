"""The On the text tab of the Attention page."""

import base64

from microgpt import checkpoint
from microgpt.analysis.attention import attention_maps
from microgpt.ui.charts.attention import MAP_SCALES, shades
from microgpt.ui.components.strip.strip import packed
from tests.ui.pages import ATTENTION, component, open_tab


def test_the_strip_holds_all_heads_of_the_selected_layer(app):
    open_tab(app, ATTENTION, "On the text")
    strip = component(app)
    app.selectbox("layer").set_value(2).run()
    other = component(app)
    t = len(strip["labels"])
    assert len(base64.b64decode(strip["shades"])) == 3 * t * (t + 1) // 2
    assert other["shades"] != strip["shades"]
    app.selectbox("head").set_value(3).run()
    assert component(app)["chosen"] == 2


def test_the_colours_of_the_strip_have_the_scale_of_the_maps(open_attention, tiny_checkpoint):
    app = open_attention(tab="On the text", text="ba do", layer="1", head="2")
    loaded = checkpoint.load(tiny_checkpoint)
    layer = attention_maps(loaded.model, loaded.tokenizer.encode("ba do")).weights[0].numpy()
    for scale, low in (("linear", "0"), ("log", "≤ 0.001"), ("row", "0")):
        app.segmented_control("scale").set_value(scale).run()
        strip = component(app)
        assert strip["shades"] == packed(shades(layer, scale), "u1")
        assert strip["weights"] == packed(layer[1], "<u2")
        assert strip["scale"] == [MAP_SCALES[scale], low, "1"]


def test_the_strip_of_a_mean_includes_the_mean(open_attention):
    app = open_attention(tab="On the text", layer="mean", head="mean")
    strip = component(app)
    assert strip["names"] == ["layer 1", "layer 2", "mean"] and strip["chosen"] == 2
    app.selectbox("layer").set_value(2).run()
    assert component(app)["names"] == ["head 1", "head 2", "head 3", "mean"]
    assert component(app)["chosen"] == 3
    app.selectbox("head").set_value(2).run()
    assert component(app)["names"] == ["head 1", "head 2", "head 3"]
