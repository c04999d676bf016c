import dataclasses
import json
import math

import pytest
import torch

from microgpt.analysis.head_scores import (
    BADGE_FROM,
    KINDS,
    Ablation,
    Badge,
    HeadScores,
    HeadScoresError,
)

# Two layers of three heads; no query had a newline, a space or a speaker to look at.
COUNTS = {kind: 40 if kind in ("previous", "same", "first") else 0 for kind in KINDS}
MADE = HeadScores(
    positions=50,
    counts=COUNTS,
    even={"previous": 0.1, "first": 0.1, "same": 0.2},
    scores={
        "previous": torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.29, 0.3]]),
        "first": torch.tensor([[0.05, 0.1, 0.0], [0.2, 0.1, 0.1]]),
        "same": torch.tensor([[0.0, 0.5, 0.0], [0.2, 0.2, 1.0]]),
    },
    entropy=torch.tensor([[0.5, 1.0, 2.5], [3.0, 1.23456, 0.0]]),
    distance=torch.tensor([[1.0, 10.0, 20.0], [30.0, 100.0, 0.0]]),
    off=Ablation(30, torch.tensor([[0.01, -0.2, 0.0], [0.15001, 0.15, 7.0]])),
)
GOOD = json.loads(MADE.to_json())
REQUIRED = [name for name in GOOD if name not in ("format", "off")]


def changed(**values: object) -> str:
    """A good file with some of its values replaced."""
    return json.dumps(GOOD | values)


def off_with(**values: object) -> str:
    return changed(off=GOOD["off"] | values)


def scores_with(table: object) -> str:
    return changed(scores=GOOD["scores"] | {"same": table})


def test_scores_survive_writing_and_reading_to_four_decimals():
    text = MADE.to_json()
    again = HeadScores.from_json(text, 2, 3)
    assert (again.positions, again.counts, again.even) == (50, COUNTS, MADE.even)
    assert list(again.scores) == ["previous", "first", "same"]
    for kind, table in MADE.scores.items():
        torch.testing.assert_close(again.scores[kind], table, rtol=0, atol=0.51e-4)
    torch.testing.assert_close(again.entropy, MADE.entropy, rtol=0, atol=0.51e-4)
    torch.testing.assert_close(again.distance, MADE.distance, rtol=0, atol=0.51e-4)
    assert again.off.positions == 30
    torch.testing.assert_close(again.off.loss_change, MADE.off.loss_change, rtol=0, atol=0.51e-4)
    assert again.to_json() == text
    assert text.endswith("}\n") and text.count("\n") == 1


def test_the_largest_model_has_scores_that_are_read_back_within_their_bound():
    from microgpt.checkpoint import HEAD_SCORES, OPTIONAL

    table = torch.full((48, 64), 0.1234)
    scores = HeadScores(
        positions=2**62,
        counts=dict.fromkeys(KINDS, 2**62),
        even=dict.fromkeys(KINDS, 0.1234),
        scores=dict.fromkeys(KINDS, table),
        entropy=table,
        distance=table + 4000,
        off=Ablation(2**62, -table),
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
        *(changed(even=MADE.even | {"same": value}) for value in (-0.1, 1.1, math.nan, None, [])),
        changed(even={"same": 0.1}),
        changed(even=MADE.even | {"other": 0.1}),
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
        changed(off={}),
        changed(off={"positions": 30}),
        changed(off={"loss_change": GOOD["off"]["loss_change"]}),
        *(off_with(positions=value) for value in (0, -1, 51, 30.0, True, None, "30", [30])),
        *(off_with(loss_change=value) for value in (None, 3, "ab", [], [[]], [[0.1, 0.1, 0.1]])),
        off_with(loss_change=[[0.1, 0.1], [0.1, 0.1], [0.1, 0.1]]),
        *(
            off_with(loss_change=[[0.1, 0.1, 0.1], [0.1, 0.1, value]])
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
    badges = [[MADE.badge(layer, head) for head in range(3)] for layer in range(2)]
    kinds = [[badge and badge.kind for badge in row] for row in badges]
    assert kinds == [["previous", "same", None], [None, None, "same"]]
    assert badges[0][0] == Badge("previous", pytest.approx(0.9))


def test_a_score_at_the_threshold_is_enough_and_one_below_is_not():
    for score, found in ((BADGE_FROM, "first"), (BADGE_FROM - 1e-4, None)):
        table = torch.full((1, 1), score, dtype=torch.float64)
        made = dataclasses.replace(MADE, scores={"first": table})
        badge = made.badge(0, 0)
        assert (badge and badge.kind) == found


def test_no_kind_that_a_query_has_means_no_badge():
    assert dataclasses.replace(MADE, scores={}).badge(0, 0) is None


def test_scores_without_a_head_switched_off_survive_too():
    plain = dataclasses.replace(MADE, off=None)
    assert json.loads(plain.to_json()) == {key: GOOD[key] for key in GOOD if key != "off"}
    assert HeadScores.from_json(plain.to_json(), 2, 3).off is None


def test_the_costliest_head_is_the_one_that_the_loss_gains_most_without():
    assert MADE.off.costliest() == (1, 2)
    assert Ablation(1, torch.tensor([[-0.3, -0.1], [-0.2, -0.2]])).costliest() == (0, 1)
