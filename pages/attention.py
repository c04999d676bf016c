import streamlit as st

from microgpt.ui.attention.combined import combined_view
from microgpt.ui.attention.maps import maps_view
from microgpt.ui.attention.on_the_text import text_view
from microgpt.ui.attention.stages import stages_view
from microgpt.ui.widgets import page_header

loaded = page_header(
    "pages/attention.py",
    "Attention",
    "What each head looks at when it reads your text: one map a head, one row a character.",
)
views = {
    "All heads": maps_view,
    "On the text": text_view,
    "Stages": stages_view,
    "Combined": combined_view,
}
tabs = st.tabs(list(views), key="attention_view", bind="query-params")
for tab, view in zip(tabs, views.values(), strict=True):
    if tab.open:
        with tab:
            view(loaded)
