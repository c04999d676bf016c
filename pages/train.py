from microgpt.ui.page import any_page_header, show_view
from microgpt.ui.train.start import train_view

checkpoint = any_page_header(
    "pages/train.py",
    "Train",
    "Here you train a small one of your own, on a text of yours.",
)
show_view(checkpoint, train_view)
