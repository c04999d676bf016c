"""The On the text tab of the Attention page."""

import base64

from tests.ui.pages import ATTENTION, component, open_tab


def test_the_strip_holds_all_heads_of_the_selected_layer(app):
    open_tab(app, ATTENTION, "On the text")
    strip = component(app)
    app.selectbox("layer").set_value(2).run()
    other = component(app)
    t = len(strip["labels"])
    assert len(base64.b64decode(strip["maps"])) == 3 * t * (t + 1) // 2
    assert other["maps"] != strip["maps"]
    app.selectbox("head").set_value(3).run()
    assert component(app)["chosen"] == 2


def test_the_strip_of_a_mean_includes_the_mean(open_attention):
    app = open_attention(tab="On the text", layer="mean", head="mean")
    strip = component(app)
    assert strip["names"] == ["layer 1", "layer 2", "mean"] and strip["chosen"] == 2
    app.selectbox("layer").set_value(2).run()
    assert component(app)["names"] == ["head 1", "head 2", "head 3", "mean"]
    assert component(app)["chosen"] == 3
    app.selectbox("head").set_value(2).run()
    assert component(app)["names"] == ["head 1", "head 2", "head 3"]
