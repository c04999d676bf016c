from microgpt.ui.loss.compare import compare_view
from microgpt.ui.loss.curves import curves_view
from microgpt.ui.loss.evolution import SCRUB, VIEWS, evolution_view
from microgpt.ui.loss.ladder import ladder_view
from microgpt.ui.loss.measure import measure_view
from microgpt.ui.widgets import page_header, show_views

loaded = page_header(
    "pages/loss_record.py",
    "Loss record",
    "How this checkpoint was trained, from its own record.",
)
views = {"Curves": curves_view}
if loaded.checkpoint.evolution is not None:
    views[SCRUB] = evolution_view
if loaded.checkpoint.baselines is not None:
    views["The ladder"] = ladder_view
views |= {"Compare runs": compare_view, "Measure your text": measure_view}
show_views(loaded, views, VIEWS)
