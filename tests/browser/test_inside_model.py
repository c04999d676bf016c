"""The whole model in a browser: position, block, explanations, sampling, a phone."""

import re
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
import torch

from microgpt.analysis.position import position_at
from microgpt.analysis.residuals import residual_stream
from microgpt.sampling import SamplingConfig, Uniforms, next_token_probs, sample
from microgpt.ui import components
from microgpt.ui.charts import style
from tests.browser.driving import visit, wait_for_run

pytestmark = pytest.mark.browser

TEXT = "ba do\nke li"
NAMES = style.position_names(TEXT)
PICTURE = ".model-flow"
SAMPLING = Path(components.__file__).parent / "model_flow" / "parts" / "sampling.js"
LAST = len(TEXT) - 1


def computed(loaded, at=LAST):
    ids = loaded.tokenizer.encode(TEXT)
    return position_at(loaded.model, ids, residual_stream(loaded.model, ids), at)


def open_picture(page, server, **query):
    parameters = {"inside_view": "Through the model", "text": TEXT, **query}
    visit(page, f"{server}/inside?{urlencode(parameters)}", "Inside")
    page.locator(f"{PICTURE} .number-title", has_text=re.compile(".")).wait_for()
    return page


def part(page, name):
    return page.locator(f"{PICTURE} .{name}")


def wait_for(page, name, text):
    page.locator(f"{PICTURE} .{name}", has_text=re.compile(re.escape(text))).first.wait_for()


def shown(value):
    """A number as the page shows it."""
    size = abs(value)
    text = f"{size:.{3 if size < 10 else 2 if size < 100 else 1}f}"
    return f"{'−' if value < 0 else ''}{text}"


def probabilities(page):
    """The probabilities of all characters, by label, as the list shows them."""
    rows = part(page, "row[data-token]").evaluate_all(
        "rows => rows.map((row) => [row.querySelector('.row-sign').textContent,"
        " row.querySelector('.probability-text').textContent])"
    )
    return dict(rows)


def percents(probs, characters):
    labels = style.visible(characters)
    sizes = [(label, 100 * p) for label, p in zip(labels, probs.tolist(), strict=True)]
    return {label: f"{p:.{1 if p < 9.95 else 0}f} %" for label, p in sizes}


def set_slider(page, label, value):
    page.locator(PICTURE).get_by_role("slider", name=label).evaluate(
        "(node, value) => { node.value = value; node.dispatchEvent(new Event('input')); }",
        str(value),
    )


def test_another_position_shows_its_own_prediction(page, server, loaded):
    open_picture(page, server)
    wait_for(page, "summary", f"At {NAMES[-1]}")
    part(page, "cell").nth(3).click()
    wait_for(page, "summary", f"At {NAMES[3]}")
    page.wait_for_url(re.compile("query=4"))
    wait_for_run(page)
    expected = next_token_probs(computed(loaded, 3).logits, SamplingConfig())
    assert probabilities(page) == percents(expected, loaded.tokenizer.characters)
    text = part(page, "text")
    text.focus()
    page.keyboard.press("ArrowRight")
    wait_for(page, "summary", f"At {NAMES[4]}")
    page.wait_for_url(re.compile("query=5"))
    page.keyboard.press("End")
    wait_for(page, "summary", f"At {NAMES[-1]}")


def test_a_block_opens_by_keyboard_and_the_link_opens_it_again(page, new_page, server, loaded):
    open_picture(page, server)
    page.get_by_role("button", name="Close layer 1").wait_for()
    second = page.get_by_role("button", name=re.compile("^Open Layer 2"))
    second.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Close layer 2").wait_for()
    page.wait_for_url(re.compile("block=2"))
    active = computed(loaded).blocks[1].active
    wait_for(page, "neuron .label", f"{active} of {4 * loaded.config.n_embd} active")
    other = new_page()
    other.goto(page.url)
    other.get_by_role("button", name="Close layer 2").wait_for()
    page.get_by_role("button", name="Close layer 2").press("Enter")
    page.get_by_role("button", name="Close layer 2").wait_for(state="detached")
    assert page.get_by_role("button", name=re.compile("^Open Layer")).count() == 2


def test_the_position_is_visible_in_a_text_of_many_lines(page, server):
    open_picture(page, server, text="\n".join("badokeli"))
    outside = """cell => {
        const [frame, box] = [cell.closest(".text"), cell].map((e) => e.getBoundingClientRect());
        return Math.max(frame.top - box.top, box.bottom - frame.bottom);
    }"""
    assert part(page, "text .query").evaluate(outside) <= 0
    part(page, "text").press("Home")
    assert part(page, "text .query").evaluate(outside) <= 0


def test_pointing_at_a_number_shows_its_terms_and_their_sum(page, server, loaded):
    open_picture(page, server, block=1)
    found = computed(loaded).blocks[0]
    neuron = part(page, "neuron .numbers")
    neuron.focus()
    neuron.press("Home")
    neuron.press("ArrowRight")
    wait_for(page, "number-title", "Neuron 2 of layer 1")
    wait_for(page, "value", shown(max(0.0, found.neurons[1].item())))
    assert shown(found.neurons[1].item()) in part(page, "total").inner_text()
    part(page, "logit").first.focus()
    wait_for(page, "number-title", "Logit of")
    order = computed(loaded).logits.argsort(descending=True, stable=True)
    page.keyboard.press("ArrowDown")
    label = style.visible(loaded.tokenizer.characters)[int(order[1])]
    wait_for(page, "number-title", f"Logit of “{label}”")
    wait_for(page, "value", shown(computed(loaded).logits[order[1]].item()))
    score = part(page, "score .numbers")
    box = score.bounding_box()
    page.mouse.move(box["x"] + 1, box["y"] + box["height"] / 2)
    wait_for(page, "number-title", f"Score of {NAMES[-1]} for {NAMES[0]}, H1 in layer 1")
    wait_for(page, "value", shown(found.scores[0, 0].item()))


def test_a_pinned_number_stays_until_escape(page, server):
    open_picture(page, server, block=1)
    part(page, "attended .numbers").click()
    wait_for(page, "number-title", "of what the attention of layer 1 adds")
    wait_for(page, "state", "pinned")
    part(page, "computed .numbers").hover()
    wait_for(page, "number-title", "of what the attention of layer 1 adds")
    page.keyboard.press("Escape")
    page.mouse.move(0, 0)
    part(page, "computed .numbers").hover()
    wait_for(page, "number-title", "of what the MLP of layer 1 adds")


def test_the_sliders_give_the_probabilities_of_the_library(page, new_page, server, loaded):
    open_picture(page, server)
    logits, characters = computed(loaded).logits, loaded.tokenizer.characters
    assert probabilities(page) == percents(next_token_probs(logits, SamplingConfig()), characters)
    settings: dict[str, float] = {}
    for label, name, value in (
        ("Temperature", "temperature", 1.7),
        ("Top-k", "top_k", 5),
        ("Top-p", "top_p", 0.5),
        ("Temperature", "temperature", 0.0),
    ):
        set_slider(page, label, value)
        settings[name] = value
        expected = next_token_probs(logits, SamplingConfig(**settings))
        assert probabilities(page) == percents(expected, characters)
        assert part(page, "row.removed").count() == int((expected == 0).sum())
    assert part(page, "given").inner_text() == "at temperature 0, top-k 5, top-p 0.5"
    page.wait_for_url(re.compile("picture_top_k=5"))
    wait_for_run(page)
    other = new_page()
    other.goto(page.url)
    wait_for(other, "given", "at temperature 0, top-k 5, top-p 0.5")
    assert probabilities(other) == percents(expected, characters)


def test_the_first_draw_is_that_of_the_library_and_draw_again_makes_another(page, server, loaded):
    open_picture(page, server)
    logits = computed(loaded).logits.numpy()[None]
    config = SamplingConfig()
    characters = style.visible(loaded.tokenizer.characters)
    [token] = sample(logits, [config], [Uniforms(config.seed)])
    assert part(page, "drawn-sign").inner_text() == characters[token]
    before = part(page, "draw-sentence").inner_text()
    page.get_by_role("button", name="Draw another character").click()
    assert part(page, "draw-sentence").inner_text() != before
    drawn = part(page, "drawn-sign").inner_text()
    page.get_by_role("button", name="Continue the text with this character").click()
    wait_for(page, "summary", f"At {drawn} ({len(TEXT) + 1})")
    wait_for(page, "tile .label", f"id {characters.index(drawn)}")


def test_a_second_press_of_the_chosen_character_holds_nothing_back(page, server):
    open_picture(page, server)
    part(page, "cell").nth(LAST).click()
    page.get_by_role("button", name="Continue the text with this character").click()
    wait_for(page, "summary", f"({len(TEXT) + 1}), the model predicts the next character")


def test_the_likeliest_character_is_explained_until_the_visitor_points_at_a_number(page, server):
    text = "q m t b q m t b"  # a trained model expects a q next, and a b after the last t
    at = text.rindex("t")
    open_picture(page, server, text=text, checkpoint="Repeated letters")
    wait_for(page, "number-title", "Logit of “q”")
    part(page, "cell").nth(at).click()
    wait_for(page, "number-title", "Logit of “b”")
    part(page, "row").filter(has_text="q").locator(".logit").hover()
    wait_for(page, "number-title", "Logit of “q”")
    part(page, "cell").nth(at - 2).click()
    wait_for(page, "summary", f"At m ({at - 1})")
    part(page, "explanation:not(.waiting)").wait_for()
    wait_for(page, "number-title", "Logit of “q”")


def test_the_tables_of_the_numbers_are_made_when_they_are_opened(page, server):
    open_picture(page, server)
    tables = page.get_by_test_id("stDataFrame")
    wait_for_run(page)
    assert tables.count() == 0
    page.get_by_text("As a table").click()
    tables.nth(2).wait_for()
    page.get_by_text("As a table").click()
    tables.first.wait_for(state="hidden")


def test_a_score_that_does_not_exist_at_another_position_is_replaced(page, server):
    open_picture(page, server, block=1)
    score = part(page, "score .numbers")
    score.focus()
    score.press("End")
    wait_for(page, "number-title", f"for {NAMES[-1]}")
    part(page, "cell").nth(2).click()
    wait_for(page, "number-title", "Logit of ")
    part(page, "explanation:not(.waiting)").wait_for()


def test_the_sampling_of_the_browser_is_that_of_the_library(page):
    """Many random logits and settings, and draws at evenly spaced numbers."""
    script = (
        f"(cases) => {{ {SAMPLING.read_text()} return cases.map(([logits, settings, draws]) => {{"
    )
    script += " const probs = nextTokenProbs(Float32Array.from(logits), settings);"
    script += " return [[...probs], draws.map((each) => drawnToken(probs, each))]; }); }"
    generator = torch.Generator().manual_seed(1)
    draws = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999999]
    cases = []
    for temperature in (0.0, 0.3, 1.0, 2.0):
        for top_k in (0, 1, 3, 65):
            for top_p in (0.0, 0.2, 0.9, 1.0):
                logits = 4 * torch.randn(65, generator=generator)
                logits[7] = logits[3]  # equal logits are ranked by id
                config = SamplingConfig(temperature=temperature, top_k=top_k, top_p=top_p)
                cases.append((logits, config))
    page.goto("about:blank")
    settings = ("temperature", "top_k", "top_p")
    found = page.evaluate(
        script,
        [
            [logits.tolist(), {name: getattr(config, name) for name in settings}, draws]
            for logits, config in cases
        ],
    )
    for (logits, config), (probs, tokens) in zip(cases, found, strict=True):
        expected = next_token_probs(logits, config).numpy()
        np.testing.assert_allclose(probs, expected, rtol=1e-12, atol=1e-300)
        cumulative = expected.cumsum()
        targets = np.array(draws)[:, None] * cumulative[-1]
        assert tokens == (cumulative <= targets).sum(axis=1).clip(max=64).tolist()


def test_a_phone_shows_the_picture_from_top_to_bottom(phone, server):
    open_picture(phone, server, block=1)
    tops = part(phone, "stage").evaluate_all(
        "nodes => nodes.map((node) => node.getBoundingClientRect().top)"
    )
    assert tops == sorted(tops) and len(set(tops)) == len(tops)
    width = phone.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
    part(phone, "computed .numbers").tap()
    wait_for(phone, "number-title", "of what the MLP of layer 1 adds")
    part(phone, "cell").nth(1).tap()
    wait_for(phone, "summary", f"At {NAMES[1]}")
