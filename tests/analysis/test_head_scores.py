import dataclasses
import json
import math

import pytest
import torch

from microgpt.analysis.head_patterns import PATTERNS
from microgpt.analysis.head_scores import (
    MIN_LABEL_SCORE,
    Ablation,
    HeadScores,
    HeadScoresError,
    Label,
)

# Two layers of three heads; no query had a newline, a space or a speaker to look at.
COUNTS = {name: 40 if name in ("previous", "same", "first") else 0 for name in PATTERNS}
MADE = HeadScores(
    positions=50,
    counts=COUNTS,
    uniform={"previous": 0.1, "first": 0.1, "same": 0.2},
    scores={
        "previous": torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.29, 0.3]]),
        "first": torch.tensor([[0.05, 0.1, 0.0], [0.2, 0.1, 0.1]]),
        "same": torch.tensor([[0.0, 0.5, 0.0], [0.2, 0.2, 1.0]]),
    },
    entropy=torch.tensor([[0.5, 1.0, 2.5], [3.0, 1.23456, 0.0]]),
    distance=torch.tensor([[1.0, 10.0, 20.0], [30.0, 100.0, 0.0]]),
    ablation=Ablation(30, torch.tensor([[0.01, -0.2, 0.0], [0.15001, 0.15, 7.0]])),
)
GOOD = json.loads(MADE.to_json())
REQUIRED = [name for name in GOOD if name not in ("format", "ablation")]


def changed(**values: object) -> str:
    """A good file with some of its values replaced."""
    return json.dumps(GOOD | values)


def ablation_with(**values: object) -> str:
    return changed(ablation=GOOD["ablation"] | values)


def scores_with(table: object) -> str:
    return changed(scores=GOOD["scores"] | {"same": table})


def test_scores_survive_writing_and_reading_to_four_decimals():
    text = MADE.to_json()
    again = HeadScores.from_json(text, 2, 3)
    assert (again.positions, again.counts, again.uniform) == (50, COUNTS, MADE.uniform)
    assert list(again.scores) == ["previous", "first", "same"]
    for name, table in MADE.scores.items():
        torch.testing.assert_close(again.scores[name], table, rtol=0, atol=0.51e-4)
    torch.testing.assert_close(again.entropy, MADE.entropy, rtol=0, atol=0.51e-4)
    torch.testing.assert_close(again.distance, MADE.distance, rtol=0, atol=0.51e-4)
    assert again.ablation.positions == 30
    torch.testing.assert_close(
        again.ablation.loss_change, MADE.ablation.loss_change, rtol=0, atol=0.51e-4
    )
    assert again.to_json() == text
    assert text.endswith("}\n") and text.count("\n") == 1


def test_the_largest_model_has_scores_that_are_read_back_within_their_bound():
    from microgpt.checkpoint import HEAD_SCORES, OPTIONAL

    table = torch.full((48, 64), 0.1234)
    scores = HeadScores(
        positions=2**62,
        counts=dict.fromkeys(PATTERNS, 2**62),
        uniform=dict.fromkeys(PATTERNS, 0.1234),
        scores=dict.fromkeys(PATTERNS, table),
        entropy=table,
        distance=table + 4000,
        ablation=Ablation(2**62, -table),
    )
    text = scores.to_json()
    assert len(text) < OPTIONAL[HEAD_SCORES] / 2
    assert HeadScores.from_json(text, 48, 64).positions == 2**62


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        '{"positions": [',
        "[" * 100_000,
        "null",
        "3",
        "[]",
        "{}",
        *(json.dumps({key: GOOD[key] for key in GOOD if key != name}) for name in REQUIRED),
        *(changed(**{name: None}) for name in GOOD),
        *(changed(**{name: "ab"}) for name in GOOD),
        *(changed(**{name: [0.5]}) for name in GOOD),
        *(changed(positions=value) for value in (0, -1, 39, 50.0, True, 10**400, math.nan)),
        *(changed(counts=COUNTS | {"same": value}) for value in (0, -1, 51, 40.0, None, [])),
        changed(counts={"same": 40}),
        *(
            changed(uniform=MADE.uniform | {"same": value})
            for value in (-0.1, 1.1, math.nan, None, [])
        ),
        changed(uniform={"same": 0.1}),
        changed(uniform=MADE.uniform | {"other": 0.1}),
        changed(scores=GOOD["scores"] | {"other": GOOD["entropy"]}),
        changed(scores=GOOD["scores"] | {"space": GOOD["scores"]["same"]}),
        changed(scores={"same": GOOD["scores"]["same"]}),
        *(scores_with(value) for value in (None, 3, "ab", [], [[]], [[0.1, 0.1, 0.1]])),
        scores_with([[0.1, 0.1, 0.1], [0.1, 0.1]]),
        scores_with([[0.1, 0.1], [0.1, 0.1], [0.1, 0.1]]),
        *(
            scores_with([[0.1, 0.1, 0.1], [0.1, 0.1, value]])
            for value in (-0.1, 1.1, math.nan, math.inf, 10**400, "a", None, [])
        ),
        changed(entropy=[[0.1, 0.1, 0.1], [0.1, 0.1, -0.1]]),
        changed(entropy=[[0.1, 0.1, 0.1], [0.1, 0.1, math.inf]]),
        changed(distance=[[0.1, 0.1, 0.1], [0.1, 0.1, 1e300]]),
        changed(distance=[0.1, 0.1, 0.1]),
        changed(ablation={}),
        changed(ablation={"positions": 30}),
        changed(ablation={"loss_change": GOOD["ablation"]["loss_change"]}),
        *(ablation_with(positions=value) for value in (0, -1, 51, 30.0, True, None, "30", [30])),
        *(
            ablation_with(loss_change=value)
            for value in (None, 3, "ab", [], [[]], [[0.1, 0.1, 0.1]])
        ),
        ablation_with(loss_change=[[0.1, 0.1], [0.1, 0.1], [0.1, 0.1]]),
        *(
            ablation_with(loss_change=[[0.1, 0.1, 0.1], [0.1, 0.1, value]])
            for value in (math.nan, math.inf, -math.inf, 1e300, 10**400, "a", None, [])
        ),
    ],
    ids=lambda text: text[-40:],
)
def test_a_malformed_file_is_refused_in_a_sentence(text):
    with pytest.raises(HeadScoresError, match=r"head.scores") as caught:
        HeadScores.from_json(text, 2, 3)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("shape", [(1, 3), (3, 3), (2, 2), (2, 4), (3, 2), (48, 64)], ids=str)
def test_scores_of_another_models_shape_are_refused(shape):
    with pytest.raises(HeadScoresError, match="do not fit its model"):
        HeadScores.from_json(MADE.to_json(), *shape)


def test_a_head_is_named_after_what_it_does_most_where_that_is_enough():
    labels = [[MADE.label(layer, head) for head in range(3)] for layer in range(2)]
    names = [[label and label.name for label in row] for row in labels]
    assert names == [["previous", "same", None], [None, None, "same"]]
    assert labels[0][0] == Label("previous", pytest.approx(0.9))


def test_a_score_at_the_threshold_is_enough_and_one_below_is_not():
    for score, found in ((MIN_LABEL_SCORE, "first"), (MIN_LABEL_SCORE - 1e-4, None)):
        table = torch.full((1, 1), score, dtype=torch.float64)
        made = dataclasses.replace(MADE, scores={"first": table})
        label = made.label(0, 0)
        assert (label and label.name) == found


def test_without_scores_there_is_no_label():
    assert dataclasses.replace(MADE, scores={}).label(0, 0) is None


def test_scores_without_an_ablation_survive_too():
    plain = dataclasses.replace(MADE, ablation=None)
    assert json.loads(plain.to_json()) == {key: GOOD[key] for key in GOOD if key != "ablation"}
    assert HeadScores.from_json(plain.to_json(), 2, 3).ablation is None


def test_the_costliest_head_is_the_one_that_the_loss_gains_most_without():
    assert MADE.ablation.costliest() == (1, 2)
    assert Ablation(1, torch.tensor([[-0.3, -0.1], [-0.2, -0.2]])).costliest() == (0, 1)
