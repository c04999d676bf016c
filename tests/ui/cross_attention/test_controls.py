import pytest

from microgpt.ui.cross_attention.controls import head_name, head_names
from tests.pair_checkpoint import CONFIG
from tests.ui.pages import CROSS_ATTENTION, GENERATE, component, new_app, open_page, trigger


def test_heads_are_named_by_layer_and_number_from_1():
    assert head_name(1, 2) == "L2 H3"
    assert head_names(CONFIG) == ["L1 H1", "L1 H2", "L1 H3", "L2 H1", "L2 H2", "L2 H3"]


@pytest.mark.parametrize(
    ("link", "key", "value"),
    [
        ({"cross_head": "L9 H9"}, "cross_head", "mean"),
        ({"encoder_head": "7"}, "encoder_head", "L1 H1"),
        ({"character": "output 99"}, "character", "none"),
        ({"cross_step": "14"}, "cross_step", 10),
        ({"cross_off": "L9 H9"}, "cross_off", []),
    ],
)
def test_a_value_that_does_not_exist_is_replaced_and_said(open_cross, link, key, value):
    app = open_cross(**link)
    widgets = [*app.selectbox, *app.select_slider, *app.pills]
    assert {each.key: each.value for each in widgets}[key] == value
    assert len(app.toast) == 1 and not app.exception


def test_the_choices_are_kept_while_another_page_is_open(pair_checkpoint, monkeypatch):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(pair_checkpoint))
    app = open_page(new_app(), CROSS_ATTENTION)
    app.text_input("date").set_value("7 May 1999").run()
    trigger(app, "off", [[0, 1]])
    trigger(app, "cross", 2)
    open_page(app, GENERATE)
    open_page(app, CROSS_ATTENTION)
    data = component(app)
    assert "".join(data["input"]) == "7␣May␣1999"
    assert data["off"] == [[0, 1]] and data["shown"]["cross"] == 2
