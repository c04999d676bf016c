"""The browser component that draws the whole model at one position of a text."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeGuard

import streamlit as st

from microgpt.analysis.explanation import Number
from microgpt.analysis.position import BlockAt, PositionAt, StreamPart
from microgpt.config import GPTConfig
from microgpt.sampling import SAMPLING_SETTINGS
from microgpt.ui.charts import style
from microgpt.ui.components import component, in_base64

_FLOW = component("model_flow")
# Sends the numbers and the explanation, which change more often than the code of the picture.
_SENT = component("model_flow", "model_flow_sent")
# Models to compare the size with: their parameters, and the paper that says so.
KNOWN_SIZES = {
    "GPT-2 small": (124_000_000, "Radford et al., 2019"),
    "GPT-2": (1_500_000_000, "Radford et al., 2019"),
    "GPT-3": (175_000_000_000, "Brown et al., 2020"),
}


@dataclass(frozen=True)
class Shown:
    """What the component shows.

    name: unique to the checkpoint, the text and the position. text: T characters. at: the position,
    from 0. token: its id. vocabulary: V characters. embedding: the parts of the embedding. blocks:
    for each block the parts after the attention and after the MLP. open: the block that is open,
    from 0, None for none. head: the head whose attention is shown, from 0. uniform: the first draw,
    from 0 to 1. parameters: of the model.
    """

    name: str
    text: str
    at: int
    token: int
    vocabulary: Sequence[str]
    config: GPTConfig
    position: PositionAt
    embedding: Sequence[StreamPart]
    blocks: Sequence[tuple[Sequence[StreamPart], Sequence[StreamPart]]]
    open: int | None
    head: int
    uniform: float
    parameters: int


def model_flow(
    key: str,
    shown: Shown,
    sampling: Mapping[str, float],
    answer: Mapping[str, Any],
    on_choice: Callable[[str, int], None],
    on_sampling: Callable[[dict[str, float]], None],
    on_explain: Callable[[Number], None],
) -> None:
    """Show the model, and the explanation of one of its numbers.

    sampling: the values of SAMPLING_SETTINGS. answer: see `answered`. on_choice: called before the
    next run with `query`, `block` or `head` and the choice, from 0, where -1 closes the block; or
    with `write` and the token that the visitor adds to the text, if the position is its last one.
    on_sampling: called before the next run with new values of `sampling`. on_explain: called before
    the next run with the number that the visitor points at.
    """

    def chosen(what: str) -> Callable[[], None]:
        def callback() -> None:
            value = st.session_state[key].get(what)
            if type(value) is int:
                on_choice(what, value)

        return callback

    def set_sampling() -> None:
        values = st.session_state[key].get("sampling")
        if _is_sampling(values):
            on_sampling({name: type(sampling[name])(value) for name, value in values.items()})

    def explain() -> None:
        if (number := _number(st.session_state[key].get("explain"))) is not None:
            on_explain(number)

    with st.container(gap=None):
        _FLOW(
            key=key,
            on_query_change=chosen("query"),
            on_block_change=chosen("block"),
            on_head_change=chosen("head"),
            on_write_change=chosen("write"),
            on_sampling_change=set_sampling,
            on_explain_change=explain,
        )
        _SENT(key=f"{key}_numbers", data={"what": "numbers", **_data(shown)})
        _SENT(key=f"{key}_answer", data={"what": "answer", **answer})
        settings = _settings(shown.config.vocab_size)
        data = {"what": "sampling", "settings": settings, "values": dict(sampling)}
        _SENT(key=f"{key}_sampling", data=data)


def answered(
    shown: Shown, number: Number, explanation: Mapping[str, Any], asked: Number | None
) -> dict[str, Any]:
    """The data of an answer: the number, in the position that is shown, and its explanation.

    asked: the number that the visitor pointed at last. If it is another one, it does not exist in
    this position, and the browser does not ask for it again.
    """
    return {
        "name": shown.name,
        "number": asdict(number),
        "missing": None if asked is None or asked == number else asdict(asked),
        "explanation": dict(explanation),
    }


def unique_name(*parts: object) -> str:
    """A short name for what is shown."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _settings(vocab_size: int) -> list[dict[str, Any]]:
    """The sliders of the sampling settings; where one counts tokens, the vocabulary means all."""
    return [
        {
            "name": name,
            "label": setting.label,
            "help": setting.help,
            "least": 1 if setting.counts_tokens else setting.limits[0],
            "most": vocab_size if setting.counts_tokens else setting.limits[1],
            "step": setting.step,
        }
        for name, setting in SAMPLING_SETTINGS.items()
    ]


def _is_sampling(value: object) -> TypeGuard[dict[str, float]]:
    """Whether the browser sent a finite number for each setting. Anyone can send anything."""
    if not isinstance(value, dict) or set(value) != set(SAMPLING_SETTINGS):
        return False
    return all(type(each) in (int, float) and math.isfinite(each) for each in value.values())


def _number(value: object) -> Number | None:
    """The number that the browser asks for; None if it asks for something else."""
    if not isinstance(value, dict) or set(value) != {"kind", "layer", "head", "index"}:
        return None
    indices = [value["layer"], value["head"], value["index"]]
    if type(value["kind"]) is not str or not all(type(each) is int for each in indices):
        return None
    return Number(value["kind"], *indices)


def _data(shown: Shown) -> dict[str, Any]:
    found, config = shown.position, shown.config
    return {
        "name": shown.name,
        "labels": style.visible(shown.text),
        "lines": [at for at, char in enumerate(shown.text) if char == "\n"],
        "spaces": [at for at, char in enumerate(shown.text) if char.isspace()],
        "at": shown.at,
        "token": shown.token,
        "vocabulary": style.visible("".join(shown.vocabulary)),
        "heads": config.n_head,
        "channels": config.n_embd,
        "neurons": config.n_embd * config.mlp_ratio,
        "residual": config.residual,
        "norms": {"blocks": config.norm != "none", "final": config.norm == "all"},
        "embedding": {
            "token": in_base64(found.token),
            "place": in_base64(found.place),
            "sum": in_base64(found.embedded),
            "length": found.embedded.norm().item(),
            "parts": _parts(shown.embedding),
        },
        "blocks": [
            _closed(block, *parts) for block, parts in zip(found.blocks, shown.blocks, strict=True)
        ],
        "open": shown.open,
        "head": shown.head,
        "opened": None if shown.open is None else _opened(found.blocks[shown.open]),
        "final": in_base64(found.norm_final),
        "logits": in_base64(found.logits),
        "palette": style.palette(),
        "uniform": shown.uniform,
        "parameters": shown.parameters,
        "sizes": [[name, count, source] for name, (count, source) in KNOWN_SIZES.items()],
    }


def _closed(
    block: BlockAt, attention: Sequence[StreamPart], mlp: Sequence[StreamPart]
) -> dict[str, Any]:
    """What is shown of a block that is closed.

    shades: (H, S) bytes, the attention of each head, where 255 is its largest weight.
    """
    shades = 255 * block.weights / block.weights.amax(dim=-1, keepdim=True)
    return {
        "shades": in_base64(shades.round(), "u1"),
        "attention": _parts(attention),
        "mlp": _parts(mlp),
        "active": block.active,
        "lengths": [each.norm().item() for each in (block.attended, block.middle, block.after)],
    }


def _opened(block: BlockAt) -> dict[str, str]:
    """The numbers of the block that is open."""
    return {
        "norm_attention": in_base64(block.norm_attention),
        "query": in_base64(block.queries),
        "score": in_base64(block.scores),
        "weight": in_base64(block.weights),
        "mixed": in_base64(block.mixed),
        "attended": in_base64(block.attended),
        "middle": in_base64(block.middle),
        "norm_mlp": in_base64(block.norm_mlp),
        "neuron": in_base64(block.activations),
        "computed": in_base64(block.computed),
        "after": in_base64(block.after),
    }


def _parts(parts: Sequence[StreamPart]) -> list[dict[str, Any]]:
    return [asdict(each) for each in parts]
