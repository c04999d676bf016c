"""The text under one layer's heads."""

import base64
import json

from tests.ui.shown import (
    component,
    on_tab,
)


def test_the_strip_holds_all_heads_of_the_selected_layer(app):
    on_tab(app, "On the text")
    strip = json.loads(app.get("bidi_component")[0].proto.json)
    app.selectbox("layer").set_value(2).run()
    other = json.loads(app.get("bidi_component")[0].proto.json)
    t = len(strip["labels"])
    assert len(base64.b64decode(strip["maps"])) == 3 * t * (t + 1) // 2
    assert other["maps"] != strip["maps"]
    app.selectbox("head").set_value(3).run()
    assert json.loads(app.get("bidi_component")[0].proto.json)["chosen"] == 2


def test_the_strip_of_a_mean_includes_the_mean(opened):
    app = opened(tab="On the text", layer="mean", head="mean")
    strip = component(app)
    assert strip["names"] == ["layer 1", "layer 2", "mean"] and strip["chosen"] == 2
    app.selectbox("layer").set_value(2).run()
    assert component(app)["names"] == ["head 1", "head 2", "head 3", "mean"]
    assert component(app)["chosen"] == 3
    app.selectbox("head").set_value(2).run()
    assert component(app)["names"] == ["head 1", "head 2", "head 3"]
