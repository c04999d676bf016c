"""Heads that are worth looking at first, chosen by their measured head scores."""

from dataclasses import dataclass

from torch import Tensor

from microgpt.analysis.head_scores import MIN_LABEL_SCORE, HeadScores

# A same-character head scores at least this multiple of uniform attention.
MIN_SAME_MULTIPLE = 2
REPEATED = "repeated"  # the name of the induction score on random text that repeats
_PREFIXES = ("induction", "induction-2", "induction-3", "induction-4")


@dataclass(frozen=True)
class Preset:
    """Heads to look at and to ablate together.

    name: what such heads are called. heads: pairs of layer and head, from 0, in order; empty if the
    model has no such head or it was not measured. about: one sentence with the figures. score: the
    name of the score that chose the heads, as in PATTERNS or `repeated`; empty for none.
    """

    name: str
    heads: tuple[tuple[int, int], ...]
    about: str
    score: str = ""


def presets(scores: HeadScores) -> list[Preset]:
    """The presets of a model: always the same four names, in the same order.

    The previous-character heads are all heads whose score is at least MIN_LABEL_SCORE. Each other
    preset has at most one head: the one whose ablation raises the loss most; the best
    same-character head, if its score is at least MIN_SAME_MULTIPLE times that of uniform attention;
    the best induction head, if its score is at least MIN_LABEL_SCORE on repeated random text or
    after a prefix of one to four characters.
    """
    return [_previous(scores), _largest_effect(scores), _same(scores), _induction(scores)]


@dataclass(frozen=True, eq=False)
class _Score:
    """A head score (L, H), its name, that of uniform attention, and a phrase: on which text."""

    name: str
    table: Tensor
    uniform: float
    where: str = ""

    @property
    def best(self) -> float:
        return self.table.max().item()

    @property
    def figures(self) -> str:
        return f"{self.best:.3f}{self.where} (uniform attention: {self.uniform:.3f})"


def _measured(scores: HeadScores, *names: str, where: str = "") -> list[_Score]:
    """The scores with these names in PATTERNS, without those that were not measured."""
    found = [name for name in names if name in scores.scores]
    return [_Score(name, scores.scores[name], scores.uniform[name], where) for name in found]


def _previous(scores: HeadScores) -> Preset:
    name, noun = "Previous-character heads", "previous-character head"
    measured = _measured(scores, "previous")
    for score in measured:
        above = score.table >= MIN_LABEL_SCORE
        heads = tuple((layer, head) for layer, head in above.nonzero().tolist())
        if len(heads) > 1:
            least = score.table[above].min()
            about = (
                f"These {len(heads)} heads give {least:.3f} to {score.best:.3f} of their attention "
                f"to the character before; uniform attention would give {score.uniform:.3f}."
            )
            return Preset(name, heads, about, score.name)
    return _best_head(name, noun, measured, MIN_LABEL_SCORE)


def _same(scores: HeadScores) -> Preset:
    name, noun = "Same-character head", "same-character head"
    lowest = MIN_SAME_MULTIPLE * scores.uniform.get("same", 0.0)
    return _best_head(name, noun, _measured(scores, "same"), lowest)


def _induction(scores: HeadScores) -> Preset:
    prefixes = _measured(scores, *_PREFIXES, where=" after a prefix of 1 to 4 characters")
    measured = sorted(prefixes, key=lambda score: score.best)[-1:]
    if (repeated := scores.repeated) is not None:
        where = " on repeated random text"
        measured.insert(0, _Score(REPEATED, repeated.scores, repeated.uniform, where))
    return _best_head("Induction head", "induction head", measured, MIN_LABEL_SCORE)


def _best_head(name: str, noun: str, measured: list[_Score], lowest: float) -> Preset:
    """The preset of the head with the highest score, if that is at least `lowest`."""
    if not measured:
        return Preset(name, (), f"No {noun} can be named, because its score was not measured.")
    best = max(measured, key=lambda score: score.best)
    if best.best >= lowest:
        head = divmod(int(best.table.argmax()), best.table.size(1))
        return Preset(name, (head,), f"This {noun} scores {best.figures}.", best.name)
    figures = "; it is ".join(score.figures for score in measured)
    return Preset(name, (), f"This model has no {noun}: the best score is {figures}.")


def _largest_effect(scores: HeadScores) -> Preset:
    name = "Head with the largest effect"
    if scores.ablation is None:
        return Preset(name, (), "The loss without each head was not measured.")
    change, head = scores.ablation.loss_change.max().item(), scores.ablation.costliest()
    if change <= 0:
        about = f"Every head can be left out: the loss changes by {change:+.4f} nats at most."
        return Preset(name, (), about)
    rise = f"the loss on new text rises by {change:.4f} nats per character"
    return Preset(name, (head,), f"Without this head {rise}, more than without any other.")
