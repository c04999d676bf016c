import dataclasses

import numpy as np
import pytest
import torch

from microgpt import checkpoint
from microgpt.analysis.translation_maps import TranslationMaps
from microgpt.ui.cross_attention.scores import (
    curves,
    effect_sentence,
    head_scores,
    percent,
    scores_frame,
    self_attention,
    without_each,
)
from tests.pair_checkpoint import STEPS


@pytest.fixture(scope="module")
def scored(pair_checkpoint):
    """The checkpoint with made-up scores at its last step."""
    loaded = checkpoint.load_pairs(pair_checkpoint)
    found = loaded.cross_scores
    shares, exact, without = (
        each.clone() for each in (found.shares, found.exact, found.exact_without)
    )
    shares[-1, 0, 1] = torch.tensor([0.1, 0.8, 0.05])
    shares[-1, 1, 2] = torch.tensor([0.1, 0.05, 0.2])
    exact[-1] = torch.tensor([0.995, 1.0, 0.998, 0.997])
    without[-1, 0, 1] = torch.tensor([0.25, 1.0, 0.25, 1.0])
    scores = dataclasses.replace(found, shares=shares, exact=exact, exact_without=without)
    return dataclasses.replace(loaded, cross_scores=scores)


def test_a_head_is_named_by_what_it_does_if_its_score_is_high(scored):
    named, faint = (head_scores(scored, STEPS[-1])[at] for at in (1, 5))
    assert (named.name, named.strong, named.share) == ("finds the month", True, 0.8)
    assert named.chance == pytest.approx(scored.cross_scores.uniform[1].item(), abs=1e-4)
    assert (faint.name, faint.strong) == ("day", False)
    assert head_scores(scored, 7) == [None] * 6


def test_the_curves_say_where_nothing_was_measured(scored):
    exact, loss = curves(scored, [*STEPS, 30])
    assert exact.values[2:] == pytest.approx([0.995, None]) and exact.texts[3] == "not measured"
    assert loss.values == [3.25, None, 2.55, None] and loss.top == 3.25
    bare = dataclasses.replace(scored, cross_scores=None, loss_record=[])
    assert curves(bare, STEPS) == []


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0.0 %"), (0.9996, "99.9 %"), (1.0, "100.0 %"), (0.256, "25.6 %")]
)
def test_only_all_is_100_percent(share, text):
    assert percent(share) == text


def test_the_effect_of_a_head_is_said_in_words(scored):
    scores = scored.cross_scores
    without = scores.exact_without.clone()
    without[-1, 1, 0, 0] = -1  # the lowest
    least = dataclasses.replace(scores, exact_without=without)
    assert effect_sentence(least, frozenset(), 0) == (
        "Switch a head off, for example L2 H1, to see which characters change."
    )
    assert effect_sentence(None, frozenset(), 0) == (
        "Switch a head off to see which characters change."
    )
    unchanged = effect_sentence(scores, frozenset({(0, 1)}), 0)
    assert unchanged.endswith("25.0 % are right without it: try another date.")
    one = effect_sentence(scores, frozenset({(0, 1)}), 2)
    assert one == (
        f"Without L1 H2, 2 characters of the output change. Of {scores.phrases:,} held-out dates, "
        "25.0 % are right without it."
    )
    two = effect_sentence(scores, frozenset({(0, 1), (1, 0)}), 1)
    assert two == "Without L1 H2 and L2 H1, 1 character of the output changes."
    three = effect_sentence(None, frozenset({(0, 0), (0, 1), (1, 0)}), 0)
    assert three == "Without these 3 heads, no character of the output changes."


def test_each_head_has_a_sentence_about_the_model_without_it(scored):
    sentences = without_each(scored.cross_scores)
    assert len(sentences) == 6 and without_each(None) == []
    assert (
        sentences[1] == "Without L1 H2, 25.0 % of the held-out dates are right instead of 99.5 %."
    )


def test_the_table_has_chance_and_every_head(scored):
    frame = scores_frame(scored.cross_scores)
    assert frame.shape == (7, 8) and frame["head"][2] == "L1 H2"
    assert frame["attention to the month"][2] == pytest.approx(0.8)
    assert frame["date right"][[0, 2]].tolist() == pytest.approx([0.995, 0.25])


def test_a_head_of_self_attention_is_named_by_the_place_that_it_looks_at():
    before, flat = np.eye(5, k=-1, dtype=np.uint8) * 255, np.full((5, 5), 51, np.uint8)
    maps = {"encoder": np.stack([before, flat, flat]), "decoder": np.stack([before, before, flat])}
    found = TranslationMaps("", "", np.zeros(5), maps)
    assert self_attention(found, ["L1 H1", "L1 H2"]) == {
        "encoder": ["L1 H1 looks at the character before: 1.00", ""],
        "decoder": [f"L1 H{head} looks at two characters before: 1.00" for head in (1, 2)],
    }
