import csv
import io
import json

import pytest
import torch

from microgpt.analysis.prediction_files import to_csv, to_json
from microgpt.analysis.predictions import Predictions
from microgpt.sampling import SamplingConfig

CHARACTERS = "\nab€"


@pytest.fixture
def predictions() -> Predictions:
    probs = torch.tensor(
        [[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25], [0.7, 0.1, 0.1, 0.1], [0.5, 0.5, 0.0, 0.0]]
    )
    return Predictions(torch.tensor([2, 3, 0, 0]), probs.log() + 3)


def test_the_table_has_a_row_for_each_character(predictions):
    config = SamplingConfig(1.0, top_k=2, seed=7)
    text = to_csv(predictions, CHARACTERS, config, {"seed": 7, "checkpoint": "a, b"})
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["character"] for row in rows] == ["b", "€", "\\n", "\\n"]
    assert [int(row["rank"]) for row in rows] == predictions.rank.tolist()
    assert float(rows[0]["probability"]) == pytest.approx(0.3)
    assert float(rows[0]["drawn_with"]) == pytest.approx(3 / 7, abs=5e-5)
    assert float(rows[1]["drawn_with"]) == 0
    assert {row["checkpoint"] for row in rows} == {"a, b"}
    assert "drawn_with" not in to_csv(predictions, CHARACTERS)


def test_the_values_for_a_json_file_are_rounded(predictions):
    values = to_json(predictions, SamplingConfig(1.0, top_k=2))
    assert values["probability"][0] == 0.3 and values["drawn_with"][0] == 0.4286
    assert values["drawn_with"][1] == 0
    assert values["rank"] == predictions.rank.tolist()
    assert values["entropy_nats"] == pytest.approx(predictions.entropy, abs=5e-5)
    json.dumps(values)


def test_a_name_in_the_csv_is_no_formula(predictions):
    text = to_csv(predictions, CHARACTERS, constants={"checkpoint": "=HYPERLINK(1)", "seed": -7})
    assert all(row.endswith(",'=HYPERLINK(1),-7") for row in text.splitlines()[1:])
