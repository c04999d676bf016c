from microgpt.ui.loss.steps import TAB
from microgpt.ui.loss.views import follow_old_link, views_of
from microgpt.ui.page import any_page_header, show_views

checkpoint = any_page_header(
    "pages/loss_record.py",
    "Loss record",
    "See how its loss, the error of its predictions, fell while it was trained.",
)
follow_old_link()
show_views(checkpoint, views_of(checkpoint), TAB)
