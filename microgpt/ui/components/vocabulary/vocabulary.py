"""The browser component that shows the characters of a text, their counts, and the split."""

from microgpt.analysis.corpus import Corpus
from microgpt.ui.charts import style
from microgpt.ui.components import component

_VOCABULARY = component("vocabulary")
# The most characters that are shown; the others are counted.
MAX_SHOWN = 150


def vocabulary(key: str, corpus: Corpus) -> None:
    """Show the split of a text as a bar, and each of its characters with its count."""
    shown = corpus.counts[:MAX_SHOWN]
    _VOCABULARY(
        key=key,
        data={
            "train": corpus.train,
            "val": corpus.val,
            "labels": style.visible("".join(char for char, _ in shown)),
            "counts": [count for _, count in shown],
            "more": corpus.vocab_size - len(shown),
            "size": corpus.vocab_size,
        },
    )
