"""All heads as a grid of small maps, of which a click picks one."""

from collections.abc import Callable

import streamlit as st

from microgpt.ui.components import component

_GRID = component("head_grid")
# Apart from the grid, so that they are not sent again when another head is chosen in it.
_IMAGES = component("head_grid", "head_images")


def head_grid(
    key: str,
    badges: list[list[str]],
    layer: int | None,
    head: int | None,
    images: bytes,
    on_pick: Callable[[int | None, int | None], None],
) -> None:
    """Show a map for each head of each layer and for the means, with the chosen one marked.

    badges: for each layer the label under each head, or nothing. layer, head: the chosen one, from
    0; None is the mean. images: a PNG of all maps, as charts.attention.attention_overview draws it.
    on_pick is called with a layer and a head before the next run.
    """

    def picked() -> None:
        if place := st.session_state[key].get("picked"):
            on_pick(*place)

    with st.container(gap=None):
        _GRID(
            key=key,
            data={"badges": badges, "layer": layer, "head": head},
            on_picked_change=picked,
        )
        _IMAGES(key="head_images", data=images)
