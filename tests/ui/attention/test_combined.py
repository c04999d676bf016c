"""Several heads as one map."""

from tests.ui.shown import on_tab


def test_the_map_combines_the_selected_heads(app):
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
