from microgpt.ui.generate.write import write_view
from microgpt.ui.widgets import page_header

loaded = page_header(
    "pages/generate.py",
    "Generate",
    "Type a few words; a small GPT trained from scratch goes on, one character at a time.",
)
write_view(loaded)
