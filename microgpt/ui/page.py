"""What every page shows: its caption, the checkpoint picker and its tabs."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import streamlit as st

from microgpt.checkpoint import AnyCheckpoint, Checkpoint, PairCheckpoint
from microgpt.errors import MicroGPTError
from microgpt.ui.allowed import OneOf
from microgpt.ui.charts.style import isolated
from microgpt.ui.checkpoints import checkpoint_picker, of_kind
from microgpt.ui.choices import end_choices, keep_choices
from microgpt.ui.controls import Control
from microgpt.ui.frame import PAGE, header, request_page
from microgpt.ui.glossary import caption
from microgpt.ui.history import link
from microgpt.ui.inside.tour import tour_row
from microgpt.ui.progress import ended_by_streamlit
from microgpt.ui.text import escaped

C = TypeVar("C", bound=AnyCheckpoint)

# The session's key of the page and the checkpoint that it showed last.
_SHOWN = "page and checkpoint"
# On a phone the sidebar covers the page. Streamlit closes it there if the page is pressed.
_CLOSE_SIDEBAR = """<script>
document.querySelector('[data-testid="stMain"]')
  .dispatchEvent(new MouseEvent("mousedown", {bubbles: true}));
</script>"""


def page_header(page: str, title: str, about: str) -> Checkpoint:
    """Show the checkpoint picker of a page and the caption of its title; return the checkpoint.

    page: the path of its script. title: of the page, as in app.py. about: follows a sentence that
    says what the model is. If an encoder–decoder is chosen, the page uses a bundled GPT and says
    so. If the page runs without app.py before the session has started, this function switches to
    app.py, which switches back.
    """
    return _header(page, title, about, Checkpoint)


def pair_page_header(page: str, title: str, about: str) -> PairCheckpoint:
    """As page_header, for a page that shows encoder–decoders."""
    return _header(page, title, about, PairCheckpoint)


def any_page_header(page: str, title: str, about: str) -> AnyCheckpoint:
    """As page_header, for a page that shows checkpoints of both kinds."""
    return _header(page, title, about, AnyCheckpoint)


def _header(page: str, title: str, about: str, kind: type[C]) -> C:
    if not st.session_state.get("app_started"):
        request_page(page, link())
        st.switch_page("app.py", query_params=link())
    st.session_state[PAGE] = page
    keep_choices()
    st.set_page_config(page_title=f"{title} · microGPT")
    chosen = checkpoint_picker(st.container())
    shown = (page, chosen.fingerprint)
    if st.session_state.setdefault(_SHOWN, shown) != shown:
        st.session_state[_SHOWN] = shown
        st.sidebar.html(_CLOSE_SIDEBAR, unsafe_allow_javascript=True)
    checkpoint = of_kind(chosen, kind)
    with header(title):
        caption(f"{_model_of(checkpoint)} {_other_kind(chosen, checkpoint)}{about}")
    return checkpoint


def _model_of(checkpoint: AnyCheckpoint) -> str:
    """One sentence that says what the model of a checkpoint is, as Markdown."""
    size = in_words(checkpoint.model.parameter_count())
    if checkpoint.training.on_tiny_shakespeare:
        return f"A GPT of {size} parameters that has read only Shakespeare."
    name = "An encoder–decoder" if isinstance(checkpoint, PairCheckpoint) else "A GPT"
    data = isolated(escaped(checkpoint.training.data.rstrip(" .")))  # it ends the sentence
    return f"{name} of {size} parameters, trained on {data}."


def _other_kind(chosen: AnyCheckpoint, checkpoint: AnyCheckpoint) -> str:
    """A sentence, as Markdown, if the page shows another checkpoint than the chosen one."""
    if chosen is checkpoint:
        return ""
    title = isolated(escaped(chosen.title))
    if isinstance(chosen, PairCheckpoint):
        return f"{title}, an encoder–decoder, is shown on the page Cross-attention. "
    return f"{title}, a GPT, has no cross-attention. "


def in_words(count: int) -> str:
    """A number as a person says it: 10.8 million."""
    rounded = float(f"{count:.3g}")
    for unit, name in ((10**6, " million"), (10**3, " thousand")):
        if rounded >= unit:
            return f"{rounded / unit:g}{name}"
    return str(count)


def show_views(checkpoint: C, views: Mapping[str, Callable[[C], None]], tab: Control) -> None:
    """Show a page's views in tabs; only the open tab runs. The value of `tab` is its name.

    If a view raises an error, the page shows it in place of the rest of the view.
    """
    names = list(views)
    allowed = OneOf(names, names[0])
    tab.args(allowed)  # replaces a name that is no tab of this page
    tour_row(tab.key, tab.upcoming(allowed))
    tabs = st.tabs(names, **tab.widget_args)
    for each, view in zip(tabs, views.values(), strict=True):
        if each.open:
            with each:
                _show(view, checkpoint)
    end_choices()


def show_view(checkpoint: C, view: Callable[[C], None]) -> None:
    """Show the only view of a page without tabs, as show_views shows each of several."""
    tour_row("", "")
    _show(view, checkpoint)
    end_choices()


def _show(view: Callable[[C], None], checkpoint: C) -> None:
    try:
        with ended_by_streamlit():
            view(checkpoint)
    except MicroGPTError as error:
        st.error(escaped(f"{error.for_visitors}."))
