from microgpt.ui.page import any_page_header, show_view
from microgpt.ui.train.start import train_view

checkpoint = any_page_header(
    "pages/train.py",
    "Train",
    "Here you can train a small model on your own text.",
)
show_view(checkpoint, train_view)
