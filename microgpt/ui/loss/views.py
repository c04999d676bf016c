"""The views of the Loss record page, and links that an earlier version made."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from microgpt.checkpoint import AnyCheckpoint
from microgpt.ui.generate.controls import SCORE
from microgpt.ui.generate.controls import TAB as GENERATE_TAB
from microgpt.ui.history import link
from microgpt.ui.loss.baselines import baselines_view
from microgpt.ui.loss.compare import RUNS, compare_view, titles_of
from microgpt.ui.loss.curves import curves_view
from microgpt.ui.loss.snapshots import snapshots_view
from microgpt.ui.loss.steps import BASELINES, COMPARE, CURVES, SNAPSHOTS, TAB, tabs_of
from microgpt.ui.next_steps import GENERATE, LOSS_RECORD

_MEASURE = "Measure your text"  # a former tab; it is "Score a text" of the Generate page now


def views_of(checkpoint: AnyCheckpoint) -> dict[str, Callable[[Any], None]]:
    """The view of each tab for a checkpoint."""
    views: dict[str, Callable[[Any], None]] = {
        CURVES: curves_view,
        SNAPSHOTS: snapshots_view,
        BASELINES: baselines_view,
        COMPARE: compare_view,
    }
    return {tab: views[tab] for tab in tabs_of(checkpoint)}


def follow_old_link() -> None:
    """Switch from a link that an earlier version made to the one that has the same view now."""
    old = link()
    if old.get(TAB.key) == [_MEASURE]:
        del old[TAB.key]
        st.switch_page(GENERATE, query_params={**old, GENERATE_TAB.key: SCORE})
    runs = old.get(RUNS.key, [])
    if (titles := titles_of(runs)) != runs:
        st.switch_page(LOSS_RECORD, query_params={**old, RUNS.key: titles})
