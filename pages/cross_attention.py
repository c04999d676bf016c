from microgpt.ui.controls import keep_values
from microgpt.ui.cross_attention.controls import CONTROLS
from microgpt.ui.cross_attention.translation import translation_view
from microgpt.ui.page import pair_page_header, show_view

checkpoint = pair_page_header(
    "pages/cross_attention.py",
    "Cross-attention",
    "Type a date and see how it is read and written.",
)
keep_values("Cross-attention", None, CONTROLS)
show_view(checkpoint, translation_view)
