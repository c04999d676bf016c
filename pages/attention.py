from microgpt.ui.attention.ablation import ablation_view
from microgpt.ui.attention.combined import combined_view
from microgpt.ui.attention.compare import compare_view
from microgpt.ui.attention.controls import TAB, VIEW
from microgpt.ui.attention.head_scores import head_scores_view
from microgpt.ui.attention.life import life_view
from microgpt.ui.attention.maps import maps_view
from microgpt.ui.attention.on_the_text import text_view
from microgpt.ui.attention.stages import stages_view
from microgpt.ui.attention.steps import (
    ABLATION,
    COMBINED,
    COMPARE,
    LIFE,
    MAPS,
    ON_TEXT,
    SCORES,
    STAGES,
)
from microgpt.ui.attention.view_file import view_file
from microgpt.ui.controls import keep_values, saved_controls
from microgpt.ui.page import page_header, show_views

checkpoint = page_header(
    "pages/attention.py",
    "Attention",
    "See which characters it looks at to predict the next one.",
)
views = {
    LIFE: life_view,
    MAPS: maps_view,
    ON_TEXT: text_view,
    SCORES: head_scores_view,
    ABLATION: ablation_view,
    STAGES: stages_view,
    COMBINED: combined_view,
    COMPARE: compare_view,
}
keep_values("Attention", TAB, (each for each in saved_controls(VIEW) if each is not TAB))
show_views(checkpoint, views, TAB)
view_file(checkpoint)
