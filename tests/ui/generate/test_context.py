"""The Context length tab of the Generate page."""

from microgpt import checkpoint
from microgpt.ui import cache
from tests.ui.pages import GENERATE, captions, charts, open_tab


def test_the_charts_follow_the_text(app):
    open_tab(app, GENERATE, "Context length")
    app.text_area("context_text").set_value("ba do ke li mu. ba do ke li mu.").run()
    assert not app.exception
    drawn = charts(app)
    assert "after 1" in app.dataframe[0].value and len(app.dataframe[0].value) == 30
    assert charts(app.run()) == drawn
    app.text_area("context_text").set_value("mu li ke do ba. mu li ke do ba.").run()
    assert not app.exception and charts(app) != drawn
    app.text_area("context_text").set_value("b").run()
    assert not app.exception and "at least two characters" in captions(app) and not charts(app)


def test_visitors_share_the_result(tiny_checkpoint):
    one, other = checkpoint.load(tiny_checkpoint), checkpoint.load(tiny_checkpoint)
    result = cache.surprisal_by_context(one, "ba do ke li", 4, [1, 2, 4])
    assert result.shape == (3, 4)
    assert cache.surprisal_by_context(other, "ba do ke li", 4, [1, 2, 4]) is result
    assert cache.surprisal_by_context(one, "ba do ke mu", 4, [1, 2, 4]) is not result
