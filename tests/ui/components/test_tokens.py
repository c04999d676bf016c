"""The data of each character for the browser."""

import base64
import math
import re

import numpy as np
import pytest
import torch

from microgpt.analysis.predictions import Predictions
from microgpt.sampling import SamplingConfig
from microgpt.ui.components import sources
from microgpt.ui.components.tokens.tokens import ALTERNATIVES, Packing, packed
from tests.ui.contrast import THEMES, contrast, mixed, rgb

NEVER = 65535


def table(records):
    rows = np.frombuffer(base64.b64decode(records), "<u2")
    return rows.reshape(-1, 6 + 2 * ALTERNATIVES).tolist()


def nats(p):
    """-ln p as it is packed, in steps of 1/2000."""
    return pytest.approx(-math.log(p) * 2000, abs=1)


def test_a_character_is_packed_with_its_alternatives():
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.0, 0.0]]).log()
    predictions = Predictions(torch.tensor([2, 3]), logits)
    first, second = table(packed(predictions, SamplingConfig(temperature=1.0, top_k=2)))
    assert first[:3] == [2, 2, 2]
    assert first[3:5] == [nats(0.3), nats(3 / 7)]
    assert first[6:12] == [3, 2, 1, 0, NEVER, NEVER]
    assert first[12:] == [nats(0.4), nats(0.3), nats(0.2), nats(0.1), NEVER, NEVER]
    assert second[:5] == [3, 4, 2, NEVER, NEVER], "the settings remove this character"
    assert second[5] == nats(0.5), "the entropy of two equals is ln 2"


def test_without_settings_every_character_is_possible():
    predictions = Predictions(torch.tensor([1]), torch.zeros(1, 4))
    ((_, _, possible, surprisal, drawn, _, *_),) = table(packed(predictions))
    assert possible == 4 and surprisal == drawn == nats(0.25)
    assert packed(predictions[:0]) == ""


def test_the_parts_of_a_growing_text_join_to_the_whole():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(600, 5, generator=generator)
    whole = Predictions(torch.randint(5, (600,), generator=generator), logits)
    packing = Packing(None)
    for count in (1, 256, 300, 600):
        parts = packing.parts(whole[:count])
        assert "".join(parts) == packed(whole[:count])
    assert len(parts) == 3


def test_a_character_is_packed_once():
    predictions = Predictions(torch.tensor([1] * 300), torch.zeros(300, 4))
    expected = packed(predictions)
    packing = Packing(None)
    packing.parts(predictions[:280])
    predictions.logits[:280] = 9 * torch.eye(4)[0]
    assert "".join(packing.parts(predictions)) == expected


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_characters_and_their_signs_are_readable_on_the_darkest_colour(theme):
    css = sources("tokens", "tokens")["css"]
    share = float(re.search(r"calc\(([\d.]+) \* var\(--share", css)[1])
    signs = [
        float(re.search(rf"{rule} {{[^}}]*opacity: ([\d.]+)", css)[1])
        for rule in (r"\.char\.line::before", r"\.sign-before::before")
    ]
    tints = re.findall(r"--tint: (#\w{6})", css)
    assert len(tints) == 2
    for ground in ("secondary", "backgroundColor"):
        for tint in tints:
            behind = mixed(rgb(tint), rgb(theme[ground]), share)
            for opacity in (1, *signs):
                text = mixed(rgb(theme["textColor"]), behind, opacity)
                assert contrast(text, behind) >= 4.5
