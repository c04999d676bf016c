from microgpt.ui.generate.context import context_view
from microgpt.ui.generate.controls import SCORE, TAB, WRITE
from microgpt.ui.generate.score import score_view
from microgpt.ui.generate.side_by_side import side_by_side_view
from microgpt.ui.generate.write import write_view
from microgpt.ui.page import page_header, show_views

checkpoint = page_header(
    "pages/generate.py",
    "Generate",
    "Type a few words, and it continues the text, one character at a time.",
)
views = {
    WRITE: write_view,
    "Side by side": side_by_side_view,
    SCORE: score_view,
    "Context length": context_view,
}
show_views(checkpoint, views, TAB)
