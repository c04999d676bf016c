from microgpt.ui.attention.ablation import ablation_view
from microgpt.ui.attention.combined import combined_view
from microgpt.ui.attention.compare import compare_view
from microgpt.ui.attention.controls import TAB
from microgpt.ui.attention.head_scores import head_scores_view
from microgpt.ui.attention.maps import maps_view
from microgpt.ui.attention.on_the_text import text_view
from microgpt.ui.attention.stages import stages_view
from microgpt.ui.attention.view_file import keep_values, view_file
from microgpt.ui.page import page_header, show_views

checkpoint = page_header(
    "pages/attention.py",
    "Attention",
    "Which characters the model uses to predict the next one. "
    "Each attention head has its own map of your text.",
)
views = {
    "All heads": maps_view,
    "On the text": text_view,
    "Head scores": head_scores_view,
    "Ablation": ablation_view,
    "Stages": stages_view,
    "Combined": combined_view,
    "Compare": compare_view,
}
keep_values()
show_views(checkpoint, views, TAB)
view_file(checkpoint)
