from microgpt.ui.controls import keep_values
from microgpt.ui.inside.attribution import attribution_view
from microgpt.ui.inside.controls import (
    CONTROLS,
    LAYER_BY_LAYER,
    NEURONS,
    TAB,
    THROUGH,
    TOUR,
    WHY,
)
from microgpt.ui.inside.logit_lens import logit_lens_view
from microgpt.ui.inside.model import model_view
from microgpt.ui.inside.neurons import neurons_view
from microgpt.ui.inside.tour import tour_view
from microgpt.ui.page import page_header, show_views

checkpoint = page_header(
    "pages/inside.py",
    "Inside",
    "Follow its computation from the text to the next character.",
)
views = {
    THROUGH: model_view,
    LAYER_BY_LAYER: logit_lens_view,
    WHY: attribution_view,
    NEURONS: neurons_view,
    TOUR: tour_view,
}
keep_values("Inside", TAB, CONTROLS)
show_views(checkpoint, views, TAB)
