from microgpt.ui.attention.maps import maps_view
from microgpt.ui.widgets import page_header

loaded = page_header(
    "pages/attention.py",
    "Attention",
    "What each head looks at when it reads your text: one map a head, one row a character.",
)
maps_view(loaded)
