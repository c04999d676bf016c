"""Explanations of numbers, in words, for the picture of the whole model."""

from collections.abc import Callable, Sequence
from typing import Any

from microgpt.analysis.explanation import Explanation, Number
from microgpt.config import ACTIVATIONS, GPTConfig
from microgpt.ui.charts import style
from microgpt.ui.components import in_base64

# How many terms an explanation lists.
LISTED = 6
# A longer explanation has no strip of its factors.
_MOST_FACTORS = 4096


class Words:
    """The names of the numbers of one position of a text.

    at: the position, from 0. vocabulary: the characters.
    """

    def __init__(self, config: GPTConfig, text: str, at: int, vocabulary: Sequence[str]):
        self.config = config
        self.positions = style.position_names(text)
        self.at = at
        self.labels = [style.isolated(each) for each in style.visible("".join(vocabulary))]

    def explained(self, number: Number, found: Explanation) -> dict[str, Any]:
        """An explanation as the component shows it: its words and its largest terms."""
        title, formula, left, right, label = self._of(number)
        if found.constant is not None:
            formula += " + bias"
        if number.kind == "neuron":
            formula = f"{ACTIVATIONS[self.config.activation]}({formula})"
        terms = found.terms.tolist()
        left_factors = found.left.tolist()
        right_factors = [None] * len(terms) if found.right is None else found.right.tolist()
        count = len(terms) if len(terms) <= LISTED + 1 else LISTED
        largest = range(len(terms)) if count == len(terms) else found.largest(count)
        listed = [[label(at), left_factors[at], right_factors[at], terms[at]] for at in largest]
        strips = None
        if found.right is not None and count < len(terms) <= _MOST_FACTORS:
            strips = [in_base64(found.left), in_base64(found.right)]
        return {
            "title": title,
            "formula": formula,
            "named": [[name, value] for name, value in found.named.items()],
            "value": found.value,
            "left": left,
            "right": right,
            "terms": listed,
            "rest": [len(terms) - count, found.rest(count)] if count < len(terms) else None,
            "constant": found.constant,
            "scale": found.scale,
            "total": found.total,
            "then": ACTIVATIONS.get(found.then, found.then),
            "of": terms[found.of] if found.then == "share" else None,
            "strips": strips,
        }

    def _has_norm(self, number: Number) -> bool:
        norms = ("all",) if number.kind == "norm_final" else ("all", "blocks")
        return self.config.norm in norms

    def _of(self, number: Number) -> tuple[str, str, str, str, Callable[[int], str]]:
        """The title, the formula, the names of both factors, and the label of each term."""
        channel = f"Channel {number.index + 1}"
        layer, head = f"layer {number.layer + 1}", f"H{number.head + 1}"
        here = self.positions[self.at]
        match number.kind:
            case "embedding":
                labels = ["the character", "the position"]
                return (
                    f"{channel} of the embedding",
                    "embedding of the character + embedding of the position",
                    "",
                    "",
                    labels.__getitem__,
                )
            case "norm_attention" | "norm_mlp" | "norm_final":
                where = "the last layer" if number.kind == "norm_final" else f"LayerNorm in {layer}"
                if not self._has_norm(number):
                    return (
                        f"{channel}, unchanged",
                        "this model has no LayerNorm here",
                        "",
                        "",
                        _stream,
                    )
                return (
                    f"{channel} after {where}"
                    + (" and the final LayerNorm" if number.kind == "norm_final" else ""),
                    "(stream − mean) × scale / deviation",
                    "number",
                    "scale / deviation",
                    ["stream", "− mean"].__getitem__,
                )
            case "query":
                return (
                    f"{channel} of the query of {head} in {layer}",
                    "stream after LayerNorm · a row of the query weights",
                    "stream after LayerNorm",
                    "query weights",
                    _channel,
                )
            case "score":
                key = self.positions[number.index]
                return (
                    f"Score of {here} for {key}, {head} in {layer}",
                    f"query of {here} · key of {key} / √{self.config.score_divisor}",
                    "query",
                    "key",
                    _channel,
                )
            case "weight":
                key = self.positions[number.index]
                return (
                    f"Attention of {here} to {key}, {head} in {layer}",
                    "softmax: e to the power of its score, divided by the sum over all characters",
                    "",
                    "",
                    self.positions.__getitem__,
                )
            case "mixed":
                return (
                    f"{channel} of what {head} in {layer} reads",
                    "attention · values of the characters",
                    "attention",
                    "value",
                    self.positions.__getitem__,
                )
            case "attended":
                return (
                    f"{channel} of what the attention of {layer} adds",
                    "what all heads read · a row of the output projection",
                    "what the heads read",
                    "output projection",
                    self._head_channel,
                )
            case "middle":
                return (
                    f"{channel} of the stream after the attention of {layer}",
                    self._addition("each head" + " + bias" * self.config.linear_bias),
                    "",
                    "",
                    self._attention_parts().__getitem__,
                )
            case "neuron":
                return (
                    f"Neuron {number.index + 1} of {layer}",
                    "stream after LayerNorm · the weights of the neuron",
                    "stream after LayerNorm",
                    "weights of the neuron",
                    _channel,
                )
            case "computed":
                return (
                    f"{channel} of what the MLP of {layer} adds",
                    "activations of the neurons · a row of the down projection",
                    "activation",
                    "down projection",
                    _neuron,
                )
            case "after":
                return (
                    f"{channel} of the stream after {layer}",
                    self._addition("MLP"),
                    "",
                    "",
                    self._mlp_parts().__getitem__,
                )
            case "logit":
                final = "final LayerNorm" if self.config.norm == "all" else "final stream"
                return (
                    f"Logit of “{self.labels[number.index]}”",
                    f"{final} · the row of the output head for this character",
                    final,
                    "row of the output head",
                    _channel,
                )
            case "length":
                return (
                    f"Length of the stream after {self._points()[number.index]}",
                    "square root of the sum of the squares of all channels",
                    "channel",
                    "itself",
                    _channel,
                )
            case "attended_share":
                return self._share("the attention", f"the attention of {layer}")
            case "attention_share":
                part = self._attention_parts()[number.index]
                return self._share(part, f"the attention of {layer}")
            case _:
                return self._share(self._mlp_parts()[number.index], layer)

    def _share(self, part: str, where: str) -> tuple[str, str, str, str, Callable[[int], str]]:
        return (
            f"Share of {part} in the stream after {where}",
            f"{part} · the new stream, divided by the squared length of the new stream",
            part,
            "new stream",
            _channel,
        )

    def _addition(self, added: str) -> str:
        before = "stream before + " if self.config.residual else ""
        return f"{before}{added}"

    def _attention_parts(self) -> list[str]:
        heads = [f"H{head + 1}" for head in range(self.config.n_head)]
        bias = ["the bias"] * self.config.linear_bias
        return [*(["the stream before"] if self.config.residual else []), *heads, *bias]

    def _mlp_parts(self) -> list[str]:
        return [*(["the stream before"] if self.config.residual else []), "the MLP"]

    def _points(self) -> list[str]:
        names = ["the embedding"]
        for layer in range(1, self.config.n_layer + 1):
            names += [f"the attention of layer {layer}", f"layer {layer}"]
        return names

    def _head_channel(self, at: int) -> str:
        head, channel = divmod(at, self.config.head_size)
        return f"H{head + 1} channel {channel + 1}"


def _channel(at: int) -> str:
    return f"channel {at + 1}"


def _neuron(at: int) -> str:
    return f"neuron {at + 1}"


def _stream(at: int) -> str:
    return "stream"
