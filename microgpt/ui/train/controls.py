"""The controls of the Train page."""

from microgpt.ui.controls import control, is_text

# Where the text comes from.
PASTE, UPLOAD, SHAKESPEARE = "Paste", "Upload", "Tiny Shakespeare"
SOURCES = (PASTE, UPLOAD, SHAKESPEARE)
SOURCE = control("text_from")
# Not in the link: the text is only this visitor's.
PASTED = control("training_text", is_text, url=False)

SIZE = control("train_size")
# One of each for each size, by the place of the size in SIZES. In a closed popover, the browser
# keeps the value that it had, so a control of all sizes would not follow another size.
CONTEXT, LAYERS, HEADS, STEPS, RATE, DROPOUT = (
    control(f"train_{name}", numbered=True)
    for name in ("context", "layers", "heads", "steps", "rate", "dropout")
)

# The id of the run that the page shows, empty for none.
RUN = control("run")
