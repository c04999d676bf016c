"""The question of the Why this character tab, and its answer in words."""

import re

import pytest
import torch

from microgpt.analysis.attribution import Contrast
from microgpt.ui.inside.controls import WHY
from microgpt.ui.inside.question import Question, answer


def question(target, against):
    return Question(0, Contrast(target, against), ["a", "b", "␣"])


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (question(0, 1), "The logit of a is 2.00 above that of b. So a is 7.39 times as likely as "
         "b: the probabilities are 0.665 and 0.09, at temperature 1."),
        (question(1, 0), "The logit of b is 2.00 below that of a. So a is 7.39 times as likely as "
         "b: the probabilities are 0.665 and 0.09, at temperature 1."),
        (question(0, "mean"), "The logit of a is 1.00 above the mean of all characters. Its "
         "probability is 0.665 at temperature 1."),
        (question(2, None), "The logit of ␣ is 1.00. Its probability is 0.245 at temperature 1."),
    ],
)  # fmt: skip
def test_a_sentence_says_what_the_difference_of_the_logits_means(asked, sentence):
    value = asked.contrast.of(torch.tensor([2.0, 0.0, 1.0])).item()
    found = answer(asked, value, [0.665, 0.09, 0.245])
    assert re.sub("[*“”]", "", found) == sentence


def test_at_the_end_of_the_text_the_likeliest_character_is_explained(open_inside):
    app = open_inside(WHY, text="ba do")
    assert app.selectbox("target").value == app.selectbox("target").options[0] == "likeliest"
    app.slider("query").set_value(2).run()
    assert not app.exception
    assert app.selectbox("target").value == app.selectbox("target").options[0] == "next in the text"
