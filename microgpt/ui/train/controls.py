"""The controls of the Train page."""

from microgpt.ui.controls import control, is_text

# Where the text comes from.
PASTE, UPLOAD, SHAKESPEARE = "Paste", "Upload", "Tiny Shakespeare"
SOURCES = (PASTE, UPLOAD, SHAKESPEARE)
SOURCE = control("text_from")
# Not in the link: the text is only this visitor's.
PASTED = control("training_text", is_text, url=False)

SIZE = control("train_size")
CONTEXT, LAYERS, HEADS = control("train_context"), control("train_layers"), control("train_heads")
STEPS, RATE, DROPOUT = control("train_steps"), control("train_rate"), control("train_dropout")

# The id of the run that the page shows, empty for none.
RUN = control("run")
