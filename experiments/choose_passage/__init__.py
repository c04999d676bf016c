"""The choice of the passage of the bundled snapshots: its candidates and their measurement.

A passage is a short text on which ablating the heads of each preset visibly changes what the model
predicts and writes.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import product

from microgpt.analysis.ablation import ablated_logits, head_mask
from microgpt.analysis.predictions import of_text
from microgpt.analysis.presets import Preset
from microgpt.analysis.words import words
from microgpt.checkpoint import Checkpoint
from microgpt.engine import Decoder, Engine
from microgpt.generate import generate
from microgpt.sampling import SamplingConfig

# Long enough to show repeated words, short enough for a few large lines on a screen.
SHORTEST, LONGEST, MOST_LINES = 110, 130, 5
# A line of this length must not be in the corpus. Shorter ones, such as names, may be.
COPIED = 20
WRITING = SamplingConfig(temperature=0.8)
# How a passage is continued, and by how many characters; also with the default settings.
GREEDY, CONTINUED = SamplingConfig(temperature=0), 80
PROMPTS = (
    *("MIRIAM:\n", "TOBIAS:\n", "CAPTAIN:\n", "SAILOR:\n", "GARDENER:\n", "MILLER:\n"),
    *("ANNA:\nThe night", "PETER:\nThe lamp", "QUEEN:\nThe sea", "LIGHTKEEPER:\nThe wind"),
)
OWN = (
    "MIRIAM:\nThe lamp burns low, good Tobias; bring the oil.\n\n"
    "TOBIAS:\nThe oil is gone, good Miriam; the lamp burns low.",
    "CAPTAIN:\nThe sea is calm, the sea is wide and grey.\n\n"
    "SAILOR:\nThe sea is wide, good captain; let us sail to-day.",
    "ANNA:\nWho comes so late across the frozen field?\n\n"
    "PETER:\nThe miller comes so late, and brings the frozen bread.",
    "GARDENER:\nThe roses that we planted by the garden wall\nAre white with winter frost, my "
    "queen, and will not bloom at all.",
    "QUEEN:\nWhat bells are these that sound within the night?\n\n"
    "SERVANT:\nMy queen, the bells of harbour sound for thee.",
    "MILLER:\nThe wind is up; the wind will turn the wheel.\n\n"
    "ANNA:\nThen turn the wheel, good miller, while the wind is up.",
    "TOBIAS:\nI lost my way between the river and the road.\n\n"
    "MIRIAM:\nThe river is thy road, good Tobias; follow it.",
    "SAILOR:\nThe stars are out, my captain; shall we sail?\n\n"
    "CAPTAIN:\nThe stars are out, good sailor; we shall sail.",
    "PETER:\nCome, neighbour, bring thy bread and bring thy wine.\n\n"
    "ANNA:\nMy bread is baked, good Peter, but the wine is thine.",
    "QUEEN:\nBring me the crown, and bring the bishop here.\n\n"
    "BISHOP:\nThe crown is here, great queen; the bishop too is here.",
    "CAPTAIN:\nThe sea is calm, and all the bells are still.\n\n"
    "SERVANT:\nThen sound the bells, good captain, if you will.",
    "GARDENER:\nThe frost is on the roses by the wall.\n\n"
    "SERVANT:\nThe roses by the wall, good gardener, will not bloom at all.",
    "MIRIAM:\nThe lamp burns low; who comes so late to-night?\n\n"
    "SERVANT:\nThe miller, good my lady; and he brings no light.",
    "TOBIAS:\nThe wind is cold, good miller; shut the door.\n\n"
    "SERVANT:\nThe miller shut the door, good Tobias, long before.",
    "SERVANT:\nThe captain comes, my queen, and brings the crown.\n\n"
    "QUEEN:\nThen let the captain bring the crown into the town.",
    "SAILOR:\nThe wind is up, good captain; see, the sail is torn.\n\n"
    "CAPTAIN:\nThe sail will hold, good sailor, till the morn.",
    "MILLER:\nThe snow is deep, good Miriam; bring the lamp.\n\n"
    "MIRIAM:\nThe lamp is lit, good miller, but the oil is damp.",
    "SERVANT:\nThe bells are still; the garden is asleep.\n\n"
    "GARDENER:\nThe roses are asleep, good servant; and the snow is deep.",
    "MIRIAM:\nBring me the lamp, Tobias; bring it near.\n\n"
    "TOBIAS:\nThe lamp is near, good Miriam; the lamp is here.",
    "CAPTAIN:\nWhere is the lamp that burned upon the shore?\n\n"
    "SAILOR:\nThe lamp, good captain, burns upon the shore no more.",
    "SERVANT:\nA sailor stands without, and asks for bread.\n\n"
    "MIRIAM:\nThen give the sailor bread, good servant, and a bed.",
    "CAPTAIN:\nWho keeps the light that burns above the sea?\n\n"
    "SERVANT:\nThe miller keeps the light, my captain; it is he.",
)


@dataclass(frozen=True)
class Candidate:
    """A passage, and who wrote it: "own", or the prompt and the seed of the model."""

    text: str
    origin: str


@dataclass(frozen=True)
class Measured:
    """A passage with its loss, and the effect of ablating the heads of each preset, by its name.

    loss: with all heads, nats per character. rises: of the loss, nats per character. parts: the
    character, from 1, at which the continuation parts from that of the whole model, greedy and with
    the default settings; None if it does not.
    """

    text: str
    origin: str
    loss: float
    rises: dict[str, float]
    parts: dict[str, list[int | None]] = field(default_factory=dict)

    @property
    def least_rise(self) -> float:
        """The smallest rise of the loss, by which passages are compared."""
        return min(self.rises.values())

    @property
    def always_parts(self) -> bool:
        """Whether a continuation parts, whichever preset is ablated."""
        return all(any(at is not None for at in each) for each in self.parts.values())


def candidates(checkpoint: Checkpoint, corpus: str, seeds: int) -> list[Candidate]:
    """The suitable texts of OWN, and of what the model writes after PROMPTS with seeds from 0."""
    known = {*words(corpus), *(word for text in (*PROMPTS, *OWN) for word in words(text))}
    found = [Candidate(text, "own") for text in OWN]
    found += _written(checkpoint, seeds)
    return [each for each in found if suitable(each.text, corpus, known)]


def _written(checkpoint: Checkpoint, seeds: int) -> list[Candidate]:
    engine, tokenizer = Engine(checkpoint.model), checkpoint.tokenizer

    def write(prompt: str, seed: int) -> Candidate:
        length = LONGEST + 1 - len(prompt)  # with the newline after the last line
        stream = engine.write(tokenizer.encode(prompt), length, replace(WRITING, seed=seed))
        text = prompt + tokenizer.decode([drawn.token for drawn in stream])
        return Candidate(text[: text.rindex("\n")].rstrip("\n"), f"{prompt!r}, seed {seed}")

    with ThreadPoolExecutor(64) as pool:  # the engine writes their texts together
        return list(pool.map(write, *zip(*product(PROMPTS, range(seeds)), strict=True)))


def suitable(text: str, corpus: str, known: set[str]) -> bool:
    """Whether a text has the right size, only known words, and no long line of the corpus."""
    lines = text.splitlines()
    return (
        SHORTEST <= len(text) <= LONGEST
        and len(lines) <= MOST_LINES
        and known.issuperset(words(text))
        and not any(len(line) >= COPIED and line in corpus for line in lines)
    )


def measure(checkpoint: Checkpoint, found: Candidate, presets: Sequence[Preset]) -> Measured:
    """The loss over a passage, and the rise of the loss without the heads of each preset."""
    ids = checkpoint.tokenizer.encode(found.text)
    loss, *without = (
        of_text(ids, ablated_logits(checkpoint.model, ids, heads)).loss
        for heads in ((), *(preset.heads for preset in presets))
    )
    pairs = zip(presets, without, strict=True)
    rises = {preset.name: round(each - loss, 4) for preset, each in pairs}
    return Measured(found.text, found.origin, round(loss, 4), rises)


def with_continuations(
    checkpoint: Checkpoint, measured: Measured, presets: Sequence[Preset]
) -> Measured:
    """Add the characters at which the continuations without the heads of each preset part."""
    text, settings = measured.text, (GREEDY, SamplingConfig())
    parts = {
        preset.name: [_parts(checkpoint, text, preset.heads, each) for each in settings]
        for preset in presets
    }
    return replace(measured, parts=parts)


def _parts(
    checkpoint: Checkpoint, text: str, heads: Iterable[tuple[int, int]], settings: SamplingConfig
) -> int | None:
    """The character, from 1, at which the continuations with all heads and without some part."""
    ids = checkpoint.tokenizer.encode(text)
    whole, without = (
        generate(
            Decoder(checkpoint.model, head_mask=head_mask(checkpoint.config, ablated)),
            checkpoint.tokenizer,
            ids,
            CONTINUED,
            settings,
        )
        for ablated in ((), heads)
    )
    pairs = enumerate(zip(whole, without, strict=True), start=1)
    return next((at for at, (one, other) in pairs if one.token != other.token), None)
