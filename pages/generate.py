from microgpt.ui.generate.context import context_view
from microgpt.ui.generate.controls import TAB
from microgpt.ui.generate.score import score_view
from microgpt.ui.generate.side_by_side import side_by_side_view
from microgpt.ui.generate.write import write_view
from microgpt.ui.page import page_header, show_views

checkpoint = page_header(
    "pages/generate.py",
    "Generate",
    "Type a few words. A small GPT, trained from scratch, continues the text one character at a "
    "time.",
)
views = {
    "Write": write_view,
    "Side by side": side_by_side_view,
    "Score a text": score_view,
    "Context length": context_view,
}
show_views(checkpoint, views, TAB)
