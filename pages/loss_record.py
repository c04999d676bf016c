from microgpt.ui.loss.baselines import baselines_view
from microgpt.ui.loss.compare import compare_view
from microgpt.ui.loss.curves import curves_view
from microgpt.ui.loss.measure import measure_view
from microgpt.ui.loss.snapshots import SNAPSHOTS, TAB, snapshots_view
from microgpt.ui.page import page_header, show_views

checkpoint = page_header(
    "pages/loss_record.py",
    "Loss record",
    "How the loss fell while this checkpoint was trained. "
    "The loss measures how badly the model predicts the next character.",
)
views = {"Curves": curves_view}
if checkpoint.snapshots is not None:
    views[SNAPSHOTS] = snapshots_view
if checkpoint.baselines is not None:
    views["Baselines"] = baselines_view
views |= {"Compare runs": compare_view, "Measure your text": measure_view}
show_views(checkpoint, views, TAB)
