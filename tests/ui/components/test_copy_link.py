"""The button that copies the link is on every tab of the Attention page."""

import pytest

from tests.ui.pages import ATTENTION, open_tab


@pytest.mark.parametrize(
    ("tab", "below"),
    # The component of the life of a head has the button itself, where it is in view.
    [("The life of a head", 0), ("All heads", 1), ("Compare", 1)],
)
def test_each_tab_has_one_button(app, tab, below):
    open_tab(app, ATTENTION, tab)
    names = [element.proto.component_name for element in app.get("bidi_component")]
    assert names.count("microgpt.copy_link") == below
    assert ("microgpt.life" in names) == (below == 0)
