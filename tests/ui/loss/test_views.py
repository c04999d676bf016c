"""The views of the Loss record page, and links of earlier versions."""

from microgpt import checkpoint
from microgpt.ui.loss.steps import tabs_of
from microgpt.ui.loss.views import views_of
from tests.ui.pages import COMPARE, LOSS_RECORD, open_page

RUNS = ["Small model 2: residual connections", "Full model, seed 1341"]


def test_each_tab_has_a_view_of_its_own(tiny_checkpoint):
    loaded = checkpoint.load(tiny_checkpoint)
    views = views_of(loaded)
    assert list(views) == tabs_of(loaded) and len(set(views.values())) == len(views)


def test_a_link_with_the_names_of_folders_opens_these_runs(app):
    app.query_params |= {"record_view": COMPARE, "runs": ["phase2", "gpu-1341"]}
    open_page(app, LOSS_RECORD)
    assert app.multiselect("runs").value == RUNS and not app.toast
    assert app.query_params["runs"] == RUNS
