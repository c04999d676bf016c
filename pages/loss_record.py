from microgpt.ui.loss.compare import compare_view
from microgpt.ui.loss.curves import curves_view
from microgpt.ui.loss.evolution import evolution_view
from microgpt.ui.loss.ladder import ladder_view
from microgpt.ui.loss.measure import measure_view
from microgpt.ui.widgets import page_header

loaded = page_header(
    "pages/loss_record.py",
    "Loss record",
    "How this checkpoint was trained, from its own record.",
)
curves_view(loaded)
evolution_view(loaded)
ladder_view(loaded)
compare_view(loaded)
measure_view(loaded)
