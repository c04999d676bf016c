"""The steps from and to the tabs of the Inside page."""

import dataclasses

from microgpt import checkpoint
from microgpt.analysis.predictions import predict_text
from microgpt.ui.inside.controls import LAYER_BY_LAYER, NEURONS, THROUGH, TOUR, WHY
from microgpt.ui.inside.steps import steps_from, why_this_one, why_this_written_one
from microgpt.ui.next_steps import INSIDE


def test_a_tab_leads_to_all_others_and_not_to_itself():
    tabs = [THROUGH, LAYER_BY_LAYER, WHY, NEURONS, TOUR]
    for here in tabs:
        found = [step.view for step in steps_from(here) if step.page == INSIDE]
        assert found == [tab for tab in tabs if tab != here]


def test_the_question_about_a_character_has_the_text_up_to_it(tiny_checkpoint):
    loaded = checkpoint.load(tiny_checkpoint)
    window = loaded.config.block_size
    explain = why_this_one(loaded, lambda at: "k" * at)
    assert explain(3).link == {"text": "kkk", "query": "2"}
    assert len(explain(window + 9).link["text"]) == window


def test_the_question_about_a_written_character_has_the_prompt(tiny_checkpoint):
    loaded = checkpoint.load(tiny_checkpoint)
    written = predict_text(loaded.model, loaded.tokenizer.encode("bado"))  # of "ado"
    explain = why_this_written_one(loaded, "ke ", written)
    assert explain(1).link == {"text": "ke ad", "query": "4"}


def test_a_window_of_one_character_has_no_such_question(tiny_checkpoint):
    loaded = checkpoint.load(tiny_checkpoint)
    loaded.model.config = dataclasses.replace(loaded.config, block_size=1)
    assert why_this_one(loaded, lambda at: "k") is None
