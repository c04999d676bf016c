"""The switches of the heads, and a button for each preset of heads to switch off."""

from collections.abc import Collection, Iterable, Sequence

import streamlit as st

from microgpt.analysis.head_patterns import short_name
from microgpt.analysis.head_scores import HeadScores
from microgpt.analysis.presets import Preset
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.ui.allowed import SomeOf
from microgpt.ui.attention.controls import VIEW
from microgpt.ui.components import Badge
from microgpt.ui.components.switchboard.switchboard import switchboard
from microgpt.ui.controls import Control, control, is_count, is_list_of

OFF = control("off", is_list_of(is_count), saved=VIEW, numbered=True)

Heads = frozenset[tuple[int, int]]  # pairs of layer and head, from 0


def badges(scores: HeadScores | None, config: GPTConfig) -> list[list[Badge | None]]:
    """The badge of each head, by layer; None for a head without scores."""

    def badge(layer: int, head: int) -> Badge | None:
        best = scores.highest(layer, head) if scores else None
        return Badge(short_name(best.name), round(best.score, 4), best.is_strong) if best else None

    heads = range(config.n_head)
    return [[badge(layer, head) for head in heads] for layer in range(config.n_layer)]


def switches(checkpoint: Checkpoint, presets: Sequence[Preset] = ()) -> Heads:
    """Show a switch for each head, with a button for each preset; return the heads that are off."""
    config = checkpoint.config
    off = _in_link(config)
    with st.container(key="presets", horizontal=True, gap="xsmall"):
        st.button("All on", on_click=switch_off, args=(config, ()), disabled=not off)
        for preset in presets:
            st.button(
                preset.name,
                type="primary" if off and off == frozenset(preset.heads) else "secondary",
                on_click=switch_off,
                args=(config, preset.heads),
                disabled=not preset.heads,
                help=preset.about,
            )
    shown = badges(checkpoint.head_scores, config)
    switchboard("switchboard", shown, off, lambda now: switch_off(config, now))
    return off


def switched_off(config: GPTConfig) -> Heads:
    """The heads that are off, also before switches()."""
    allowed = _allowed(config)
    return _heads(OFF.at(layer + 1).upcoming(allowed) for layer in range(config.n_layer))


def switch_off(config: GPTConfig, heads: Collection[tuple[int, int]]) -> None:
    """Switch off these heads and no others. For a callback, or before switches()."""
    for layer in range(config.n_layer):
        off = sorted(head + 1 for of, head in heads if of == layer)
        OFF.at(layer + 1).choose(off)


def all_on() -> None:
    """Switch all heads on: another checkpoint has other heads. For a callback."""
    for key in OFF.keys:
        Control(key).choose([])


def link_of(heads: Collection[tuple[int, int]]) -> dict[str, list[str]]:
    """The parameters of a link in which these heads are off."""
    link: dict[str, list[str]] = {}
    for layer, head in sorted(heads):
        link.setdefault(OFF.at(layer + 1).key, []).append(_label(head + 1))
    return link


def _in_link(config: GPTConfig) -> Heads:
    """The heads that are off in the link or in this session.

    Only a widget of Streamlit can have its value in the link, so there is one for each layer;
    assets/layout.css hides them.
    """
    allowed = _allowed(config)
    with st.container(key="hidden_off"):
        return _heads(
            st.pills(
                f"Off in layer {layer + 1}",
                allowed.options,
                selection_mode="multi",
                format_func=_label,
                **OFF.at(layer + 1).args(allowed),
            )
            for layer in range(config.n_layer)
        )


def _heads(numbers: Iterable[Sequence[int]]) -> Heads:
    """The heads with these numbers, from 1, in each layer."""
    return frozenset((layer, head - 1) for layer, of in enumerate(numbers) for head in of)


def _allowed(config: GPTConfig) -> SomeOf:
    return SomeOf(range(1, config.n_head + 1), label=_label)


def _label(head: int) -> str:
    return f"H{head}"
