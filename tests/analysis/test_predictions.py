import csv
import io
import math

import pytest
import torch

from microgpt.analysis.predictions import Predictions, first_difference, to_csv
from microgpt.sampling import SamplingConfig, next_token_probs

CHARACTERS = "\nab€"


@pytest.fixture
def trace() -> Predictions:
    probs = torch.tensor(
        [[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25], [0.7, 0.1, 0.1, 0.1], [0.5, 0.5, 0.0, 0.0]]
    )
    return Predictions(torch.tensor([2, 3, 0, 0]), probs.log() + 3)


def test_what_the_model_expected_of_each_character(trace):
    expected = [0.3, 0.25, 0.7, 0.5]
    assert trace.surprise.exp().reciprocal().tolist() == pytest.approx(expected)
    assert trace.rank.tolist() == [2, 4, 1, 1], "equals rank by id"
    assert trace.order[0].tolist() == [3, 2, 1, 0]
    assert trace.entropy[1].item() == pytest.approx(math.log(4))
    assert trace.entropy[3].item() == pytest.approx(math.log(2)), "what cannot be adds nothing"


def test_the_mean_surprise_is_the_loss(model):
    ids = torch.arange(9)
    logits = model(ids[None, :-1])[0]
    loss = torch.nn.functional.cross_entropy(logits, ids[1:])
    assert Predictions(ids[1:], logits).surprise.mean().item() == pytest.approx(
        loss.item(), abs=1e-6
    )


def test_a_part_of_a_trace_is_a_trace(trace):
    part = trace[1:3]
    assert len(part) == 2
    assert part.surprise.tolist() == trace.surprise[1:3].tolist()


@pytest.mark.parametrize(
    "config",
    [SamplingConfig(), SamplingConfig(0.5, 2), SamplingConfig(0.0), SamplingConfig(1, 0, 0.6)],
)
def test_what_is_drawn_with_is_each_rows_own(trace, config):
    drawn = trace.drawn_probs(config)
    for row, logits in zip(drawn, trace.logits, strict=True):
        alone = next_token_probs(logits, config)
        torch.testing.assert_close(row, alone)


@pytest.mark.parametrize(
    ("one", "other", "at"),
    [([1, 2, 3], [1, 2, 3], None), ([1, 2, 3], [1, 0, 3], 1), ([1, 2], [1, 2, 3], 2), ([], [1], 0)],
)
def test_two_texts_part_at_their_first_difference(one, other, at):
    traces = [Predictions(torch.tensor(ids), torch.zeros(len(ids), 4)) for ids in (one, other)]
    assert first_difference(*traces) == at
    assert first_difference(*reversed(traces)) == at


def test_the_table_tells_every_character_and_can_be_read_back(trace):
    config = SamplingConfig(1.0, top_k=2, seed=7)
    text = to_csv(trace, CHARACTERS, config, {"seed": 7, "checkpoint": "a, b"})
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["character"] for row in rows] == ["b", "€", "\\n", "\\n"]
    assert [int(row["rank"]) for row in rows] == trace.rank.tolist()
    assert float(rows[0]["probability"]) == pytest.approx(0.3)
    assert float(rows[0]["drawn_with"]) == pytest.approx(3 / 7, abs=1e-6)
    assert float(rows[1]["drawn_with"]) == 0
    assert {row["checkpoint"] for row in rows} == {"a, b"}
    assert "drawn_with" not in to_csv(trace, CHARACTERS)
