"""The browser component that shows small maps of all heads; a click picks one."""

from collections.abc import Callable, Sequence

import streamlit as st

from microgpt.ui.components import Badge, badge_data, component, is_index

_GRID = component("head_grid")
# A separate component, so that choosing another head does not send the images again.
_IMAGES = component("head_grid", "head_images")


def head_grid(
    key: str,
    badges: Sequence[Sequence[Badge | None]],
    layer: int | None,
    head: int | None,
    images: bytes,
    large: str,
    on_pick: Callable[[int | None, int | None], None],
) -> None:
    """Show a map for each head and for the means, with the chosen one marked.

    badges: that of each head, by layer; None for none. layer, head: the chosen map, from 0; None
    for a mean. images: a PNG from charts.attention.attention_overview. large: the key of the
    container of the large map, which a click brings into view. on_pick: called with the layer and
    the head before the next run.
    """

    def picked() -> None:
        place = st.session_state[key].get("picked")
        if not isinstance(place, list) or len(place) != 2:
            return
        of_layer, of_head = place
        is_layer = is_index(of_layer, len(badges))
        is_head = is_layer and is_index(of_head, len(badges[0]))
        if is_head or (of_head is None and (is_layer or of_layer is None)):
            on_pick(of_layer, of_head)

    with st.container(gap=None):
        _GRID(
            key=key,
            data={"badges": badge_data(badges), "layer": layer, "head": head, "large": large},
            on_picked_change=picked,
        )
        _IMAGES(key="head_images", data=images)
