"""The steps to the tabs of the Generate page; tests/ui/test_next_steps.py presses them."""

from microgpt.ui.generate.steps import score_text
from tests.ui.pages import GENERATE, run_script


def test_the_text_to_score_is_in_the_link():
    step = score_text("ba do")
    assert (step.page, step.view, step.link) == (GENERATE, "Score a text", {"scored": "ba do"})


def writing():
    from microgpt.sampling import SamplingConfig
    from microgpt.tokenizer import CharTokenizer
    from microgpt.ui.generate.steps import write_with

    write_with("Go", CharTokenizer("\nabc"), SamplingConfig(0.5, top_k=0)).prepare()


def test_the_settings_are_requested_as_the_sliders_show_them():
    state = run_script(writing).session_state
    assert (state["temperature"], state["top_k"], state["top_p"]) == (0.5, 4, 1.0)
    assert "requested_text" in state and "seed" not in state
