"""The Attention page as its visitors walk through it, at a desk and with a finger on a phone."""

import io
import re
from urllib.parse import urlencode

import pandas as pd
import pytest
import torch

from microgpt import checkpoint
from microgpt.analysis.attention import attention_maps
from microgpt.analysis.heads import text_scores
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.model import GPT
from microgpt.ui.charts import style
from tests.browser.driving import answered, downloaded, settle, swipe, visit

pytestmark = pytest.mark.browser

TEXT = "Ba do ke.\nBa do"
WINDOW = 256
SELECTED, MAIN, CHART = "selected", '[data-testid="stMain"]', '[data-testid="stPlotlyChart"]'
TABS = ["All heads", "On the text", "Head scores", "Ablation", "Stages", "Combined", "Compare"]
WIDTHS = f"[document.documentElement, document.querySelector('{MAIN}')].map(n => n.scrollWidth)"
STICKING_OUT = """nodes => nodes
    .filter((node) => !node.closest('[role="tablist"], [aria-hidden="true"]'))
    .filter((node) => node.getBoundingClientRect().right > 391)
    .map((node) => node.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def folder(tokenizer, loss_record, training, tmp_path_factory):
    """A checkpoint with a full window and scores of its own, whose heads differ."""
    config = GPTConfig(
        vocab_size=tokenizer.vocab_size, block_size=WINDOW, n_layer=2, n_head=3, n_embd=24
    )
    generator = torch.Generator().manual_seed(3)
    model = GPT(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.normal_(0.0, 0.4, generator=generator)
    folder = tmp_path_factory.mktemp("tour") / "wide"
    checkpoint.save(folder, Checkpoint(model, tokenizer, loss_record, training))
    ids = tokenizer.encode("Ba do ke li mu.")
    checkpoint.add_head_scores(
        folder, text_scores(attention_maps(model, ids).weights, ids, tokenizer), config
    )
    return folder


@pytest.fixture(scope="module")
def loaded(folder):
    return checkpoint.load(folder)


@pytest.fixture(scope="module")
def server(app_server, folder):
    with app_server({"MICROGPT_CHECKPOINT": str(folder)}) as url:
        yield url


@pytest.fixture
def phone(browser):
    """A page on a small screen with a finger on it."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def opened(page, server, tab, **query):
    query = {"text": TEXT, **query, "attention_view": tab}
    visit(page, f"{server}/attention?{urlencode(query, doseq=True)}", "Attention")
    return page


def turn(page, tab):
    page.get_by_role("tab", name=tab, exact=True).click()
    page.locator(f'[role="tab"][aria-selected="true"]:has-text("{tab}")').wait_for()
    settle(page)


def all_is_drawn(page):
    """Wait for the Ablation tab's last line.

    At a run's end Streamlit writes the address anew, and forgets a click that came before.
    """
    page.get_by_role("heading", name="The most important heads").wait_for()
    settle(page)


def titled(page, title):
    page.get_by_role("heading", name=title, exact=True).wait_for()
    settle(page)


def addressed(page, part):
    page.wait_for_url(re.compile(re.escape(part)), wait_until="commit")


def holds(page, label, text):
    """Wait until a text area holds a text: it is there a snapshot before."""
    page.wait_for_function(
        """([label, text]) => {
            const area = document.querySelector(`textarea[aria-label='${label}']`);
            return area?.value === text;
        }""",
        arg=[label, text],
    )


def weights(loaded, text=TEXT):
    return attention_maps(loaded.model, loaded.tokenizer.encode(text)).weights


def cells(page):
    return page.locator(".strip .cell")


def says(page, start):
    """What is told of a character in the strip, as soon as it starts so."""
    line = page.locator(".strip .summary", has_text=re.compile("^" + re.escape(start)))
    line.wait_for()
    return line.inner_text()


def shades(page):
    return page.locator(".strip .sign").evaluate_all("nodes => nodes.map(n => n.style.background)")


def told(row):
    """The largest shares by position, from 1, as the strip tells them: in 255 steps."""
    levels = [round(float(value) * 255) for value in row]
    order = sorted(range(len(levels)), key=lambda at: -levels[at])
    names = style.position_names(TEXT)
    return [f"{names[at]}: {levels[at] / 255:.2f}" for at in order if levels[at] > 1][:5]


def at_cell(page, query, key):
    """Where in the window a cell of the first map is; the positions count from 0."""
    plot = page.get_by_test_id("stPlotlyChart").first.locator(".nsewdrag").first
    plot.evaluate("node => node.scrollIntoView({block: 'center'})")
    box = plot.bounding_box()
    return (
        box["x"] + box["width"] * (key + 0.5) / len(TEXT),
        box["y"] + box["height"] * (query + 0.5) / len(TEXT),
    )


def map_is_drawn(page):
    chart = page.get_by_test_id("stPlotlyChart").first
    chart.locator(".heatmaplayer image").first.wait_for(state="attached")


def told_of_cell(page, query, key, point):
    """The weight that the first map tells of a cell that is pointed at or tapped."""
    names = style.position_names(TEXT)
    start = f"{names[query]} attends to {names[key]}: "
    label = page.locator(".hoverlayer .hovertext", has_text=start)
    answered(lambda: point(*at_cell(page, query, key)), label)
    return float(label.text_content().removeprefix(start))


def test_a_visit_to_every_tab_keeps_the_selection_in_the_link(page, browser, server, loaded):
    opened(page, server, "All heads")
    page.get_by_role("button", name="Layer 2, head 3").click()
    titled(page, "Layer 2, head 3")
    map_is_drawn(page)
    addressed(page, "head=3")
    link = page.url
    head = weights(loaded)[1, 2]
    told_weight = told_of_cell(page, 12, 4, page.mouse.move)
    assert told_weight == pytest.approx(float(head[12, 4]), rel=5e-3)

    turn(page, "On the text")
    cells(page).nth(12).hover()
    line = says(page, style.position_names(TEXT)[12])
    assert line.endswith(f"attends to {' · '.join(told(head[12]))}")
    cells(page).nth(12).click()
    says(page, f"{style.position_names(TEXT)[12]}, {SELECTED},")

    turn(page, "Ablation")
    change = page.get_by_test_id("stMetric").nth(1).get_by_test_id("stMetricValue")
    assert change.inner_text() == "0.000"
    all_is_drawn(page)
    page.get_by_role("toolbar", name="Layer 2").get_by_role("button", name="H3").click()
    page.get_by_test_id("stMetricDelta").wait_for()
    settle(page)
    without = change.inner_text()
    assert float(without) > 0
    addressed(page, "off_2=")

    turn(page, "All heads")
    name, content = downloaded(page.get_by_role("button", name="CSV", exact=True))
    assert name == "microgpt-layer-2-head-3.csv"
    csv = pd.read_csv(io.BytesIO(content))
    assert set(csv["layer"]) == {2} and set(csv["head"]) == {3}
    last = csv[csv["query_position"] == len(TEXT)]
    assert last["attention"].tolist() == pytest.approx(head[-1].tolist(), rel=1e-4, abs=1e-7)

    turn(page, "Ablation")
    addressed(page, "off_2=")
    context = browser.new_context()
    other = context.new_page()
    visit(other, page.url, "Attention")
    other.get_by_test_id("stMetricDelta").wait_for()
    holds(other, "Text", TEXT)
    off = other.get_by_role("toolbar", name="Layer 2").get_by_role("button", name="H3")
    assert off.get_attribute("aria-pressed") == "true"
    assert other.get_by_test_id("stMetricValue").nth(1).inner_text() == without
    visit(other, link, "Attention")
    titled(other, "Layer 2, head 3")
    context.close()


def test_hover_shades_the_characters_that_one_attends_to(page, server, loaded):
    opened(page, server, "On the text", layer=1, head=2)
    names, head = style.position_names(TEXT), weights(loaded)[0, 1]
    start = says(page, f"{names[-1]} attends to")
    assert start.endswith(" · ".join(told(head[-1]))), "at first the row of the next character"
    first = shades(page)
    cells(page).nth(6).hover()
    assert says(page, f"{names[6]} attends to").endswith(" · ".join(told(head[6])))
    pointed = shades(page)
    assert pointed != first and not any(pointed[7:]), "nothing after it is shaded"
    assert sum(bool(shade) for shade in pointed) == sum(float(w) >= 0.5 / 255 for w in head[6])
    page.get_by_role("radio", name="is attended to by").click()
    cells(page).nth(6).hover()
    assert says(page, f"{names[6]} is attended to by").endswith(" · ".join(told(head[:, 6])))
    received = shades(page)
    assert not any(received[:6]) and any(received[7:])
    page.get_by_role("radio", name="is attended to by").press("ArrowLeft")
    assert page.get_by_role("radio", name="attends to").get_attribute("aria-checked") == "true"
    page.mouse.move(0, 0)
    says(page, f"{names[-1]} attends to")
    assert shades(page) == first


def test_a_click_pins_a_character_until_it_is_released(page, server):
    opened(page, server, "On the text")
    names = style.position_names(TEXT)
    says(page, f"{names[-1]} attends to")
    rest = shades(page)
    for release in ("click", "Escape"):
        cells(page).nth(4).click()
        says(page, f"{names[4]}, {SELECTED},")
        pinned = shades(page)
        cells(page).nth(9).hover()
        page.mouse.move(0, 0)
        assert shades(page) == pinned != rest, "what is pinned stays"
        says(page, f"{names[4]}, {SELECTED},")
        if release == "click":
            cells(page).nth(4).click()
            page.mouse.move(0, 0)
        else:
            page.locator(".strip .text").press("Escape")
        says(page, f"{names[-1]} attends to")
        assert shades(page) == rest
    cells(page).nth(4).click()
    cells(page).nth(5).click()
    says(page, f"{names[5]}, {SELECTED},")
    assert page.locator(".strip .cell.pinned").count() == 1


def test_arrow_keys_move_the_pinned_character(page, server):
    opened(page, server, "On the text")
    names, text = style.position_names(TEXT), page.locator(".strip .text")
    says(page, f"{names[-1]} attends to")
    text.press("ArrowLeft")
    says(page, f"{names[-2]}, {SELECTED},")
    text.press("ArrowLeft")
    says(page, f"{names[-3]}, {SELECTED},")
    text.press("ArrowRight")
    says(page, f"{names[-2]}, {SELECTED},")
    for _ in range(len(TEXT) + 2):
        text.press("ArrowLeft")
    says(page, f"{names[0]}, {SELECTED},")
    text.press("Escape")
    says(page, f"{names[-1]} attends to")
    text.press("Enter")
    says(page, f"{names[-1]}, {SELECTED},")


def test_the_stripes_show_all_heads_of_the_layer(page, server):
    opened(page, server, "On the text", layer=1, head=1)
    bands = page.locator(".strip .stripes")

    def stripes():
        return bands.evaluate_all("nodes => nodes.map(n => n.style.background)")

    says(page, style.position_names(TEXT)[-1])
    first, signs = stripes(), shades(page)
    assert all(stripe.count("rgb") == 2 * 3 for stripe in first), "each with two ends"
    legend = page.locator(".strip .legend")
    assert legend.get_attribute("title").endswith("head 1, head 2, head 3")
    cells(page).nth(5).hover()
    says(page, style.position_names(TEXT)[5])
    assert stripes() != first
    page.mouse.move(0, 0)
    says(page, style.position_names(TEXT)[-1])
    for label, value, same in (("Head", "3", True), ("Layer", "2", False)):
        page.get_by_role("combobox", name=re.compile(label)).click()
        page.get_by_role("option", name=value, exact=True).click()
        titled(page, "Layer 1, head 3" if label == "Head" else "Layer 2, head 3")
        page.wait_for_function(
            """before => {
                const roots = [...document.querySelectorAll('*')].map((node) => node.shadowRoot);
                const strip = roots.map((root) => root?.querySelector('.strip')).find(Boolean);
                const now = [...strip.querySelectorAll('.sign')].map((n) => n.style.background);
                return JSON.stringify(now) !== JSON.stringify(before);
            }""",
            arg=signs,
        )
        assert (stripes() == first) is same, (
            "the foreground is another, the stripes are the layer's"
        )
        signs = shades(page)


def test_a_tap_shows_what_hover_shows(phone, server, loaded):
    opened(phone, server, "All heads", layer=2, head=3)
    map_is_drawn(phone)
    head, names = weights(loaded)[1, 2], style.position_names(TEXT)
    told_weight = told_of_cell(phone, 12, 4, phone.touchscreen.tap)
    assert told_weight == pytest.approx(float(head[12, 4]), rel=5e-3)
    phone.get_by_role("button", name="Layer 1, head 2").tap()
    titled(phone, "Layer 1, head 2")
    phone.get_by_role("tab", name="On the text").tap()
    says(phone, f"{names[-1]} attends to")
    head = weights(loaded)[0, 1]
    cells(phone).nth(6).tap()
    assert says(phone, f"{names[6]}, {SELECTED},").endswith(" · ".join(told(head[6])))
    phone.get_by_role("radio", name="is attended to by").tap()
    assert says(phone, f"{names[6]}, {SELECTED},").endswith(" · ".join(told(head[:, 6])))
    phone.get_by_role("radio", name="attends to").first.tap()
    cells(phone).nth(6).tap()
    says(phone, f"{names[-1]} attends to")
    phone.get_by_role("tab", name="Ablation").tap()
    all_is_drawn(phone)
    phone.get_by_role("toolbar", name="Layer 1").get_by_role("button", name="H2").tap()
    phone.get_by_test_id("stMetricDelta").wait_for()
    addressed(phone, "off_1=")


@pytest.mark.parametrize(
    ("tab", "over"),
    [("All heads", ".nsewdrag"), ("All heads", ".grid"), ("On the text", ".strip .text")],
)
def test_a_swipe_over_a_chart_scrolls_the_page(phone, server, tab, over):
    text = ("Ba do ke li mu.\n" * 16)[:WINDOW]
    opened(phone, server, tab, text=text)
    target = phone.locator(over).first
    target.wait_for()
    settle(phone)
    # To the top of the window, so that a swipe has the whole target under it.
    target.evaluate("node => node.scrollIntoView({block: 'center'})")
    box, top = target.bounding_box(), f"document.querySelector('{MAIN}').scrollTop"
    before = phone.evaluate(top)
    y = max(200, box["y"] + 20)
    swipe(phone, box["x"] + box["width"] / 2, y, by=120)
    phone.wait_for_function(f"before => {top} < before - 60", arg=before)


@pytest.mark.parametrize("length", [20, WINDOW])
def test_no_tab_is_wider_than_a_phone(phone, server, length):
    text = ("Ba do ke li mu ba do ba. do ke li mu ta ro si.\n" * 6)[:length]
    opened(phone, server, "All heads", text=text, other_text=text)
    for tab in TABS:
        turn(phone, tab)
        ready = ".strip .cell" if tab == "On the text" else f"{CHART} .main-svg:visible"
        phone.locator(ready).first.wait_for()
        settle(phone)
        assert max(phone.evaluate(WIDTHS)) <= 390, tab
        sticking_out = phone.locator(f"{MAIN} button, {MAIN} .js-plotly-plot, .strip .cell")
        assert sticking_out.evaluate_all(STICKING_OUT) == [], tab


def choose(page, group, name):
    page.get_by_test_id("stButtonGroup").filter(has_text=group).get_by_text(
        name, exact=True
    ).click()
    settle(page)


def test_choices_are_kept_if_other_tabs_are_opened_quickly(page, server):
    """Tabs are turned before they are drawn, so that their runs are cut short."""
    opened(page, server, "All heads", text="Ba do ke li mu.\n" * 16)
    choose(page, "Colours", "log")
    addressed(page, "scale=log")
    turn(page, "Ablation")
    all_is_drawn(page)
    page.get_by_role("toolbar", name="Layer 2").get_by_role("button", name="H3").click()
    addressed(page, "off_2=")
    for tab in ("All heads", "Stages", "All heads", "Ablation", "Combined", "All heads"):
        page.get_by_role("tab", name=tab, exact=True).click()
    page.locator(".main-svg:visible").get_by_text("logarithmic").wait_for()
    assert pressed(page, "Colours") == "log"
    addressed(page, "scale=log")
    page.get_by_role("tab", name="Stages").click()
    page.get_by_role("tab", name="Ablation").click()
    page.get_by_test_id("stMetricDelta").wait_for()
    off = page.get_by_role("toolbar", name="Layer 2").get_by_role("button", name="H3")
    assert off.get_attribute("aria-pressed") == "true"
    addressed(page, "off_2=")


@pytest.fixture
def elsewhere(browser):
    """Open a page's address on another machine."""
    context = browser.new_context()
    context.set_default_timeout(60_000)

    def opened(page):
        other = context.new_page()
        visit(other, page.url, "Attention")
        return other

    yield opened
    context.close()


def test_the_choices_of_all_heads_are_in_the_link(page, elsewhere, server):
    opened(page, server, "All heads")
    choose(page, "Colours", "log")
    addressed(page, "scale=log")
    choose(page, "Labels from", "this text")
    addressed(page, "scores_from=")
    page.get_by_text("One row as a table").click()
    page.get_by_role("slider").press("ArrowLeft")
    addressed(page, f"query={len(TEXT) - 1}")
    other = elsewhere(page)
    other.get_by_text("attention weight (logarithmic)").wait_for()
    assert pressed(other, "Colours") == "log" and pressed(other, "Labels from") == "this text"
    other.get_by_text("One row as a table").click()
    value = '[aria-valuenow="{0}"], input[value="{0}"]'.format(len(TEXT) - 1)
    other.get_by_test_id("stSlider").locator(value).wait_for(state="attached")


def test_the_choices_of_combined_are_in_the_link(page, elsewhere, server):
    opened(page, server, "Combined")
    page.get_by_role("spinbutton").fill("1")
    page.get_by_role("spinbutton").press("Enter")
    addressed(page, "up_to=1")
    other = elsewhere(page)
    map_is_drawn(other)
    assert other.get_by_role("spinbutton").input_value() == "1"
    choose(page, "Combine by", "maximum")
    addressed(page, "combine=maximum")
    page.get_by_role("combobox", name="Heads").fill("L1 H2")
    page.get_by_role("option", name="L1 H2").click()
    addressed(page, "combined_heads=")
    settle(page)
    other = elsewhere(page)
    other.get_by_text("L1 H2", exact=True).wait_for()
    assert pressed(other, "Combine by") == "maximum"


def test_the_choices_of_compare_are_in_the_link(page, elsewhere, server):
    opened(page, server, "Compare")
    page.get_by_label("Another text", exact=True).fill("mu ro")
    page.get_by_label("Another text", exact=True).press("Control+Enter")
    addressed(page, "other_text=mu")
    page.get_by_role("combobox", name=re.compile("Checkpoint")).click()
    page.get_by_role("option", name="the bundled checkpoint").click()
    addressed(page, "compared_checkpoint=")
    main = page.locator(MAIN).get_by_text("Bundled checkpoint", exact=True)
    main.wait_for()
    other = elsewhere(page)
    other.locator(MAIN).get_by_text("Bundled checkpoint", exact=True).wait_for()
    holds(other, "Another text", "mu ro")


def pressed(page, group):
    chosen = '[aria-checked="true"], [aria-pressed="true"]'
    shown = page.get_by_test_id("stButtonGroup").filter(has_text=group, visible=True)
    return shown.locator(chosen).inner_text()


def test_a_view_too_long_for_a_link_is_restored_from_its_file(page, browser, server, tmp_path):
    text = "Ba do ke li mu.\n" * 300
    opened(page, server, "All heads")
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_label("Text", exact=True).press("Control+Enter")
    page.get_by_text("This text is too long for a link").wait_for()
    page.get_by_role("button", name="Layer 2, head 1").click()
    titled(page, "Layer 2, head 1")
    button = page.get_by_test_id("stDownloadButton").get_by_role("button", name="view.json")
    name, content = downloaded(button)
    (tmp_path / name).write_bytes(content)

    context = browser.new_context()
    context.set_default_timeout(60_000)
    other = context.new_page()
    opened(other, server, "Stages")
    other.get_by_text("Save this view or open a saved one").click()
    other.locator('input[type="file"]').set_input_files(tmp_path / "view.json")
    titled(other, "Layer 2, head 1")
    map_is_drawn(other)
    settle(other)
    holds(other, "Text", text)
    context.close()
