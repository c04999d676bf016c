import json
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from microgpt.analysis.json_file import read, to_json
from microgpt.formats import FORMAT, FormatError, read_json


@dataclass(frozen=True, eq=False)
class Part:
    positions: int
    values: Tensor


@dataclass(frozen=True, eq=False)
class Measured:
    loss: float
    by_name: dict[str, Tensor]
    part: Part | None = None


MEASURED = Measured(
    loss=1.23456,
    by_name={"a": torch.tensor([0.5, 1.0]), "b": torch.tensor([[0.123456]])},
    part=Part(3, torch.tensor([-1.0])),
)
WRITTEN = {
    "format": FORMAT,
    "optional": [],
    "loss": 1.2346,
    "by_name": {"a": [0.5, 1.0], "b": [[0.1235]]},
    "part": {"positions": 3, "values": [-1.0]},
}


def parse(values: dict[str, Any]) -> Measured:
    return read(Measured, read_json("measured.json", json.dumps(values)))


def test_numbers_are_written_with_four_decimals_in_one_line():
    text = to_json(MEASURED)
    assert text.endswith("}\n") and text.count("\n") == 1
    assert {"optional": [], **json.loads(text)} == WRITTEN


def test_a_written_file_is_read_back():
    again = parse(WRITTEN)
    assert again.loss == 1.2346
    assert list(again.by_name) == ["a", "b"]
    for name, table in again.by_name.items():
        assert table.dtype == torch.float32
        torch.testing.assert_close(table, MEASURED.by_name[name], rtol=0, atol=0.51e-4)
    assert (again.part.positions, again.part.values.tolist()) == (3, [-1.0])
    assert to_json(again) == to_json(MEASURED)


def test_a_field_that_is_none_is_not_written_and_is_read_as_its_default():
    plain = Measured(1.0, {})
    values = json.loads(to_json(plain))
    assert "part" not in values
    assert parse(values).part is None


@pytest.mark.parametrize("positions", [3.0, "3", True, None], ids=repr)
def test_a_count_that_is_not_a_whole_number_is_refused(positions):
    with pytest.raises(TypeError):
        parse(WRITTEN | {"part": {"positions": positions, "values": []}})


@pytest.mark.parametrize("place", ["", "part"])
def test_an_unknown_field_is_refused_unless_it_is_optional(place):
    values = json.loads(json.dumps(WRITTEN))
    (values[place] if place else values)["more"] = 1
    with pytest.raises(FormatError, match=r"unknown field 'more' in measured\.json"):
        parse(values)
    assert parse(values | {"optional": ["more"]}).loss == 1.2346
