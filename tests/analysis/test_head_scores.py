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

# Two layers of three heads, over a text without newlines, spaces and speakers.
COUNTS = {name: 40 if name in ("previous", "same", "first") else 0 for name in PATTERNS}
SCORES = HeadScores(
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
VALID = json.loads(SCORES.to_json())
REQUIRED = [name for name in VALID if name not in ("format", "ablation")]


def changed(**values: object) -> str:
    """A valid file with some of its values replaced."""
    return json.dumps(VALID | values)


def ablation_with(**values: object) -> str:
    return changed(ablation=VALID["ablation"] | values)


def scores_with(table: object) -> str:
    return changed(scores=VALID["scores"] | {"same": table})


def test_written_scores_are_read_back_with_four_decimals():
    text = SCORES.to_json()
    again = HeadScores.from_json(text, 2, 3)
    assert (again.positions, again.counts, again.uniform) == (50, COUNTS, SCORES.uniform)
    assert list(again.scores) == ["previous", "first", "same"]
    for name, table in SCORES.scores.items():
        torch.testing.assert_close(again.scores[name], table, rtol=0, atol=0.51e-4)
    torch.testing.assert_close(again.entropy, SCORES.entropy, rtol=0, atol=0.51e-4)
    torch.testing.assert_close(again.distance, SCORES.distance, rtol=0, atol=0.51e-4)
    assert again.ablation.positions == 30
    torch.testing.assert_close(
        again.ablation.loss_change, SCORES.ablation.loss_change, rtol=0, atol=0.51e-4
    )
    assert again.to_json() == text
    assert text.endswith("}\n") and text.count("\n") == 1


def test_the_scores_of_the_largest_model_fit_into_their_file():
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
        *(json.dumps({key: VALID[key] for key in VALID if key != name}) for name in REQUIRED),
        *(changed(**{name: None}) for name in VALID),
        *(changed(**{name: "ab"}) for name in VALID),
        *(changed(**{name: [0.5]}) for name in VALID),
        *(changed(positions=value) for value in (0, -1, 39, 50.0, True, 10**400, math.nan)),
        *(changed(counts=COUNTS | {"same": value}) for value in (0, -1, 51, 40.0, None, [])),
        changed(counts={"same": 40}),
        *(
            changed(uniform=SCORES.uniform | {"same": value})
            for value in (-0.1, 1.1, math.nan, None, [])
        ),
        changed(uniform={"same": 0.1}),
        changed(uniform=SCORES.uniform | {"other": 0.1}),
        changed(scores=VALID["scores"] | {"other": VALID["entropy"]}),
        changed(scores=VALID["scores"] | {"space": VALID["scores"]["same"]}),
        changed(scores={"same": VALID["scores"]["same"]}),
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
        changed(ablation={"loss_change": VALID["ablation"]["loss_change"]}),
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
def test_a_malformed_file_is_refused(text):
    with pytest.raises(HeadScoresError, match=r"head.scores") as caught:
        HeadScores.from_json(text, 2, 3)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("shape", [(1, 3), (3, 3), (2, 2), (2, 4), (3, 2), (48, 64)], ids=str)
def test_scores_of_another_models_shape_are_refused(shape):
    with pytest.raises(HeadScoresError, match="do not fit its model"):
        HeadScores.from_json(SCORES.to_json(), *shape)


def test_the_label_of_a_head_is_its_highest_score():
    labels = [[SCORES.label(layer, head) for head in range(3)] for layer in range(2)]
    names = [[label and label.name for label in row] for row in labels]
    assert names == [["previous", "same", None], [None, None, "same"]]
    assert labels[0][0] == Label("previous", pytest.approx(0.9))


def test_a_score_below_the_threshold_is_no_label():
    for score, expected in ((MIN_LABEL_SCORE, "first"), (MIN_LABEL_SCORE - 1e-4, None)):
        table = torch.full((1, 1), score, dtype=torch.float64)
        label = dataclasses.replace(SCORES, scores={"first": table}).label(0, 0)
        assert (label and label.name) == expected


def test_every_head_has_a_highest_score():
    names = [[SCORES.highest(layer, head).name for head in range(3)] for layer in range(2)]
    assert names == [["previous", "same", "previous"], ["previous", "previous", "same"]]
    strong = [[SCORES.highest(layer, head).is_strong for head in range(3)] for layer in range(2)]
    assert strong == [[True, True, False], [False, False, True]]


def test_the_peaks_are_sorted_by_how_far_they_are_above_uniform():
    peaks = dataclasses.replace(SCORES, uniform=SCORES.uniform | {"same": 0.25}).peaks()
    assert [(peak.name, peak.layer, peak.head) for peak in peaks] == [
        ("previous", 0, 0),
        ("same", 1, 2),
        ("first", 1, 0),
    ]
    assert (peaks[1].score, peaks[1].uniform) == (pytest.approx(1.0), 0.25)
    assert dataclasses.replace(SCORES, scores={}, uniform={}).peaks() == []


def test_without_scores_there_is_no_label():
    empty = dataclasses.replace(SCORES, scores={})
    assert empty.highest(0, 0) is None and empty.label(0, 0) is None


def test_scores_without_an_ablation_are_read_back():
    plain = dataclasses.replace(SCORES, ablation=None)
    assert json.loads(plain.to_json()) == {key: VALID[key] for key in VALID if key != "ablation"}
    assert HeadScores.from_json(plain.to_json(), 2, 3).ablation is None


def test_the_costliest_head_raises_the_loss_most():
    assert SCORES.ablation.costliest() == (1, 2)
    assert Ablation(1, torch.tensor([[-0.3, -0.1], [-0.2, -0.2]])).costliest() == (0, 1)
