"""The Combined tab of the Attention page."""

from tests.ui.pages import ATTENTION, captions, charts, open_tab


def test_the_map_combines_the_selected_heads(app):
    open_tab(app, ATTENTION, "Combined")
    drawn = charts(app)
    app.number_input("up_to").set_value(1).run()
    drawn += charts(app)
    for method in ("mean", "maximum"):
        app.segmented_control("combine").set_value(method).run()
        drawn += charts(app)
    app.multiselect("combined_heads").set_value(["L1 H1"]).run()
    drawn += charts(app)
    assert not app.exception and len(set(drawn)) == len(drawn) == 5
    app.multiselect("combined_heads").set_value([]).run()
    assert not app.exception and "Choose at least one head." in captions(app)
