"""The tabs of the Attention page in a browser, on a desktop and on a phone."""

import io
import re
from urllib.parse import urlencode

import pandas as pd
import pytest

from microgpt import checkpoint
from microgpt.analysis.attention import attention_maps
from microgpt.analysis.heads import text_scores
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.ui.charts import style
from tests.browser.driving import download, point_until, swipe, visit, wait_for_run
from tests.models import random_model

pytestmark = pytest.mark.browser

TEXT = "Ba do ke.\nBa do"
WINDOW = 256
SELECTED, MAIN, CHART = "selected", '[data-testid="stMain"]', '[data-testid="stPlotlyChart"]'
TABS = [
    *("The life of a head", "All heads", "On the text", "Head scores", "Ablation", "Stages"),
    *("Combined", "Compare"),
]
READY = {"The life of a head": ".life .cell", "On the text": ".strip .cell"}
WIDTHS = f"[document.documentElement, document.querySelector('{MAIN}')].map(n => n.scrollWidth)"
MAP_IN_VIEW = """() => {
    const { top, bottom } = document.querySelector('.nsewdrag').getBoundingClientRect();
    return top >= 0 && bottom <= window.innerHeight;
}"""
STICKING_OUT = """nodes => nodes
    .filter((node) => !node.closest('[role="tablist"], [aria-hidden="true"]'))
    .filter((node) => node.getBoundingClientRect().right > 391)
    .map((node) => node.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def folder(tokenizer, loss_record, training, tmp_path_factory):
    """A checkpoint with a window of 256 characters and head scores."""
    config = GPTConfig(
        vocab_size=tokenizer.vocab_size, block_size=WINDOW, n_layer=2, n_head=3, n_embd=24
    )
    model = random_model(config, seed=3)
    folder = tmp_path_factory.mktemp("checkpoint") / "wide"
    checkpoint.save(folder, Checkpoint(model, tokenizer, loss_record, training))
    ids = tokenizer.encode("Ba do ke li mu.")
    checkpoint.add_head_scores(
        folder, text_scores(attention_maps(model, ids).weights, ids, tokenizer), config
    )
    return folder


def open_page(page, server, tab, **query):
    query = {"text": TEXT, **query, "attention_view": tab}
    visit(page, f"{server}/attention?{urlencode(query, doseq=True)}", "Attention")
    return page


def open_tab(page, tab):
    page.get_by_role("tab", name=tab, exact=True).click()
    page.locator(f'[role="tab"][aria-selected="true"]:has-text("{tab}")').wait_for()
    wait_for_run(page)


def wait_for_ablation(page):
    """Wait for the last line of the Ablation tab.

    Streamlit loses a click before the end of a run, because it then updates the URL.
    """
    page.get_by_role("heading", name="The most important heads").wait_for()
    wait_for_run(page)


def wait_for_title(page, title):
    page.get_by_role("heading", name=title, exact=True).wait_for()
    wait_for_run(page)


def wait_for_url(page, part):
    page.wait_for_url(re.compile(re.escape(part)), wait_until="commit")


def wait_for_value(page, label, value):
    """Wait until a text area has a value."""
    page.wait_for_function(
        """([label, value]) => {
            const area = document.querySelector(`textarea[aria-label='${label}']`);
            return area?.value === value;
        }""",
        arg=[label, value],
    )


def weights(loaded, text=TEXT):
    return attention_maps(loaded.model, loaded.tokenizer.encode(text)).weights


def cells(page):
    return page.locator(".strip .cell")


def wait_for_line(page, start):
    """Wait for the line above the strip that starts with these words; return it."""
    line = page.locator(".strip .summary", has_text=re.compile("^" + re.escape(start)))
    line.wait_for()
    return line.inner_text()


def strip_shades(page):
    return page.locator(".strip .sign").evaluate_all("nodes => nodes.map(n => n.style.background)")


def expected_weights(row):
    """The largest weights of a row or column as the line above the strip lists them."""
    exact = [round(float(value) * 65535) / 65535 for value in row]
    order = sorted(range(len(exact)), key=lambda at: -exact[at])
    names = style.position_names(TEXT)
    return [f"{names[at]}: {exact[at]:.2f}" for at in order if exact[at] >= 0.005][:5]


def cell_position(page, query, key):
    """The x and y of a cell of the first map; positions count from 0."""
    plot = page.get_by_test_id("stPlotlyChart").first.locator(".nsewdrag").first
    plot.evaluate("node => node.scrollIntoView({block: 'center'})")
    box = plot.bounding_box()
    return (
        box["x"] + box["width"] * (key + 0.5) / len(TEXT),
        box["y"] + box["height"] * (query + 0.5) / len(TEXT),
    )


def wait_for_map(page):
    chart = page.get_by_test_id("stPlotlyChart").first
    chart.locator(".heatmaplayer image").first.wait_for(state="attached")


def hovered_weight(page, query, key, point):
    """Hover over or tap a cell of the first map; return the weight in its label."""
    names = style.position_names(TEXT)
    start = f"{names[query]} attends to {names[key]}: "
    label = page.locator(".hoverlayer .hovertext", has_text=start)
    point_until(lambda: point(*cell_position(page, query, key)), label)
    return float(label.text_content().removeprefix(start))


def test_a_selection_is_kept_across_tabs_and_in_the_link(page, new_page, server, loaded):
    open_page(page, server, "All heads")
    page.get_by_role("button", name="Layer 2, head 3").click()
    wait_for_title(page, "Layer 2, head 3")
    wait_for_map(page)
    wait_for_url(page, "head=3")
    link = page.url
    head = weights(loaded)[1, 2]
    weight = hovered_weight(page, 12, 4, page.mouse.move)
    assert weight == pytest.approx(float(head[12, 4]), rel=5e-3)

    open_tab(page, "On the text")
    cells(page).nth(12).hover()
    line = wait_for_line(page, style.position_names(TEXT)[12])
    assert line.endswith(f"attends to {' · '.join(expected_weights(head[12]))}")
    cells(page).nth(12).click()
    wait_for_line(page, f"{style.position_names(TEXT)[12]}, {SELECTED},")

    open_tab(page, "Ablation")
    change = page.get_by_test_id("stMetric").nth(1).get_by_test_id("stMetricValue")
    assert change.inner_text() == "0.000"
    wait_for_ablation(page)
    page.get_by_role("switch", name="Layer 2, head 3").click()
    page.get_by_test_id("stMetricDelta").wait_for()
    wait_for_run(page)
    without = change.inner_text()
    assert float(without) > 0
    wait_for_url(page, "off_2=")

    open_tab(page, "All heads")
    name, content = download(page.get_by_role("button", name="CSV", exact=True))
    assert name == "microgpt-layer-2-head-3.csv"
    csv = pd.read_csv(io.BytesIO(content))
    assert set(csv["layer"]) == {2} and set(csv["head"]) == {3}
    last = csv[csv["query_position"] == len(TEXT)]
    assert last["attention"].tolist() == pytest.approx(head[-1].tolist(), rel=1e-4, abs=1e-7)

    open_tab(page, "Ablation")
    wait_for_url(page, "off_2=")
    other = new_page()
    visit(other, page.url, "Attention")
    other.get_by_test_id("stMetricDelta").wait_for()
    wait_for_value(other, "Text", TEXT)
    off = other.get_by_role("switch", name="Layer 2, head 3")
    assert off.get_attribute("aria-checked") == "false"
    assert other.get_by_test_id("stMetricValue").nth(1).inner_text() == without
    visit(other, link, "Attention")
    wait_for_title(other, "Layer 2, head 3")


def test_quick_clicks_and_keys_switch_heads_off_and_all_on_lights_them(page, server):
    open_page(page, server, "Ablation")
    wait_for_ablation(page)
    off = page.get_by_role("switch", checked=False)
    first = page.get_by_role("switch", name="Layer 1, head 1")
    page.get_by_role("switch").nth(5).wait_for()
    assert off.count() == 0 and page.get_by_role("switch").count() == 6
    first.evaluate("node => { node.click(); node.nextSibling.click(); }")  # before any answer
    wait_for_url(page, "off_1=H1&off_1=H2")
    wait_for_run(page)
    first.press("ArrowDown")
    page.get_by_role("switch", name="Layer 2, head 1").press("Enter")
    wait_for_url(page, "off_2=H1")
    wait_for_run(page)
    assert [each.get_attribute("aria-label")[:15] for each in off.all()] == [
        "Layer 1, head 1",
        "Layer 1, head 2",
        "Layer 2, head 1",
    ]
    page.get_by_role("button", name="All on").click()
    page.wait_for_url(lambda url: "off_" not in url, wait_until="commit")
    wait_for_run(page)
    assert off.count() == 0


def test_hover_shades_the_characters_that_one_attends_to(page, server, loaded):
    open_page(page, server, "On the text", layer=1, head=2)
    names, head = style.position_names(TEXT), weights(loaded)[0, 1]
    start = wait_for_line(page, f"{names[-1]} attends to")
    assert start.endswith(" · ".join(expected_weights(head[-1]))), (
        "at first, the last character is selected"
    )
    first = strip_shades(page)
    cells(page).nth(6).hover()
    assert wait_for_line(page, f"{names[6]} attends to").endswith(
        " · ".join(expected_weights(head[6]))
    )
    pointed = strip_shades(page)
    assert pointed != first and not any(pointed[7:]), "later characters are not shaded"
    palette = style.palette()
    levels = [round(float(weight) * 255) for weight in head[6, :7]]
    assert pointed[:7] == [f"rgb({', '.join(map(str, palette[level]))})" for level in levels]
    page.get_by_role("radio", name="is attended to by").click()
    cells(page).nth(6).hover()
    assert wait_for_line(page, f"{names[6]} is attended to by").endswith(
        " · ".join(expected_weights(head[:, 6]))
    )
    received = strip_shades(page)
    assert not any(received[:6]) and any(received[7:])
    page.get_by_role("radio", name="is attended to by").press("ArrowLeft")
    assert page.get_by_role("radio", name="attends to").get_attribute("aria-checked") == "true"
    page.mouse.move(0, 0)
    wait_for_line(page, f"{names[-1]} attends to")
    assert strip_shades(page) == first


def test_a_click_pins_a_character_until_it_is_released(page, server):
    open_page(page, server, "On the text")
    names = style.position_names(TEXT)
    wait_for_line(page, f"{names[-1]} attends to")
    rest = strip_shades(page)
    for release in ("click", "Escape"):
        cells(page).nth(4).click()
        wait_for_line(page, f"{names[4]}, {SELECTED},")
        pinned = strip_shades(page)
        cells(page).nth(9).hover()
        page.mouse.move(0, 0)
        assert strip_shades(page) == pinned != rest, "the pinned character stays selected"
        wait_for_line(page, f"{names[4]}, {SELECTED},")
        if release == "click":
            cells(page).nth(4).click()
            page.mouse.move(0, 0)
        else:
            page.locator(".strip .text").press("Escape")
        wait_for_line(page, f"{names[-1]} attends to")
        assert strip_shades(page) == rest
    cells(page).nth(4).click()
    cells(page).nth(5).click()
    wait_for_line(page, f"{names[5]}, {SELECTED},")
    assert page.locator(".strip .cell.pinned").count() == 1


def test_arrow_keys_move_the_pinned_character(page, server):
    open_page(page, server, "On the text")
    names, text = style.position_names(TEXT), page.locator(".strip .text")
    wait_for_line(page, f"{names[-1]} attends to")
    text.press("ArrowLeft")
    wait_for_line(page, f"{names[-2]}, {SELECTED},")
    text.press("ArrowLeft")
    wait_for_line(page, f"{names[-3]}, {SELECTED},")
    text.press("ArrowRight")
    wait_for_line(page, f"{names[-2]}, {SELECTED},")
    for _ in range(len(TEXT) + 2):
        text.press("ArrowLeft")
    wait_for_line(page, f"{names[0]}, {SELECTED},")
    text.press("Escape")
    wait_for_line(page, f"{names[-1]} attends to")
    text.press("Enter")
    wait_for_line(page, f"{names[-1]}, {SELECTED},")


def test_the_stripes_show_all_heads_of_the_layer(page, server):
    open_page(page, server, "On the text", layer=1, head=1)
    bands = page.locator(".strip .stripes")

    def stripes():
        return bands.evaluate_all("nodes => nodes.map(n => n.style.background)")

    wait_for_line(page, style.position_names(TEXT)[-1])
    first, signs = stripes(), strip_shades(page)
    assert all(stripe.count("rgb") == 2 * 3 for stripe in first), (
        "each stripe has two stops of a gradient"
    )
    legend = page.locator(".strip .legend")
    assert legend.get_attribute("title").endswith("head 1, head 2, head 3")
    cells(page).nth(5).hover()
    wait_for_line(page, style.position_names(TEXT)[5])
    assert stripes() != first
    page.mouse.move(0, 0)
    wait_for_line(page, style.position_names(TEXT)[-1])
    for label, value, same in (("Head", "3", True), ("Layer", "2", False)):
        page.get_by_role("combobox", name=re.compile(label)).click()
        page.get_by_role("option", name=value, exact=True).click()
        wait_for_title(page, "Layer 1, head 3" if label == "Head" else "Layer 2, head 3")
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
            "another head changes the text colours, another layer also the stripes"
        )
        signs = strip_shades(page)


def test_a_tap_shows_what_hover_shows(phone, server, loaded):
    open_page(phone, server, "All heads", layer=2, head=3)
    wait_for_map(phone)
    head, names = weights(loaded)[1, 2], style.position_names(TEXT)
    weight = hovered_weight(phone, 12, 4, phone.touchscreen.tap)
    assert weight == pytest.approx(float(head[12, 4]), rel=5e-3)
    phone.get_by_role("button", name="Layer 1, head 2").tap()
    wait_for_title(phone, "Layer 1, head 2")
    phone.wait_for_function(MAP_IN_VIEW)
    phone.get_by_role("tab", name="On the text").tap()
    wait_for_line(phone, f"{names[-1]} attends to")
    head = weights(loaded)[0, 1]
    cells(phone).nth(6).tap()
    assert wait_for_line(phone, f"{names[6]}, {SELECTED},").endswith(
        " · ".join(expected_weights(head[6]))
    )
    phone.get_by_role("radio", name="is attended to by").tap()
    assert wait_for_line(phone, f"{names[6]}, {SELECTED},").endswith(
        " · ".join(expected_weights(head[:, 6]))
    )
    phone.get_by_role("radio", name="attends to").first.tap()
    cells(phone).nth(6).tap()
    wait_for_line(phone, f"{names[-1]} attends to")
    phone.get_by_role("tab", name="Ablation").tap()
    wait_for_ablation(phone)
    phone.get_by_role("switch", name="Layer 1, head 2").tap()
    phone.get_by_test_id("stMetricDelta").wait_for()
    wait_for_url(phone, "off_1=")


def test_a_chosen_map_stays_in_view_while_the_page_grows(phone, server):
    open_page(phone, server, "All heads", layer=2, head=3)
    wait_for_map(phone)
    phone.get_by_role("button", name="Layer 1, head 2").tap()
    wait_for_title(phone, "Layer 1, head 2")
    phone.wait_for_function(MAP_IN_VIEW)
    grid = phone.locator(".st-key-head_grid")
    in_view = grid.evaluate(
        f"node => {{ node.style.paddingBottom = '300px'; return ({MAP_IN_VIEW})(); }}"
    )
    assert not in_view, "until the page scrolls again"
    phone.wait_for_function(MAP_IN_VIEW)


@pytest.mark.parametrize("size", [(1280, 800), (390, 844), (1920, 1080)], ids=str)
def test_a_map_is_a_square_that_fits_into_the_window(new_page, server, size):
    width, height = size
    page = new_page(viewport={"width": width, "height": height})
    open_page(page, server, "All heads", text="Ba do ke li mu.\n" * 3)
    wait_for_map(page)
    page.wait_for_function(
        """() => {
            const plot = document.querySelector('.nsewdrag').getBoundingClientRect();
            return Math.abs(plot.width / plot.height - 1) < 0.03;
        }"""
    )
    box = page.get_by_test_id("stPlotlyChart").first.bounding_box()
    assert box["width"] <= width and box["height"] <= height
    if width > 390:
        assert box["y"] + box["height"] <= height


@pytest.mark.parametrize(
    ("tab", "over"),
    [("All heads", ".nsewdrag"), ("All heads", ".grid"), ("On the text", ".strip .text")],
)
def test_a_swipe_over_a_chart_scrolls_the_page(phone, server, tab, over):
    text = ("Ba do ke li mu.\n" * 16)[:WINDOW]
    open_page(phone, server, tab, text=text)
    target = phone.locator(over).first
    target.wait_for()
    wait_for_run(phone)
    target.evaluate("node => node.scrollIntoView({block: 'center'})")
    box, top = target.bounding_box(), f"document.querySelector('{MAIN}').scrollTop"
    before = phone.evaluate(top)
    y = max(200, box["y"] + 20)
    swipe(phone, box["x"] + box["width"] / 2, y, by=120)
    phone.wait_for_function(f"before => {top} < before - 60", arg=before)


@pytest.mark.parametrize("length", [20, WINDOW])
def test_no_tab_is_wider_than_a_phone(phone, server, length):
    text = ("Ba do ke li mu ba do ba. do ke li mu ta ro si.\n" * 6)[:length]
    open_page(phone, server, "All heads", text=text, other_text=text)
    for tab in TABS:
        open_tab(phone, tab)
        ready = READY.get(tab, f"{CHART} .main-svg:visible")
        phone.locator(ready).first.wait_for()
        wait_for_run(phone)
        assert max(phone.evaluate(WIDTHS)) <= 390, tab
        sticking_out = phone.locator(f"{MAIN} button, {MAIN} .js-plotly-plot, .strip .cell")
        assert sticking_out.evaluate_all(STICKING_OUT) == [], tab


def test_the_table_of_scores_fits_into_the_window_of_a_laptop(new_page, app_server):
    page = new_page(viewport={"width": 1280, "height": 800})
    with app_server() as url:  # the bundled checkpoint has every score
        open_page(page, url, "Head scores")
        page.get_by_text("most in L").first.wait_for()
        table = page.locator(".dvn-scroller").first
        table.wait_for()
        wait_for_run(page)
        assert table.evaluate("node => node.scrollWidth <= node.clientWidth")
        box = table.bounding_box()
        assert box["y"] + box["height"] <= 800


def select_option(page, group, name):
    page.get_by_test_id("stButtonGroup").filter(has_text=group).get_by_text(
        name, exact=True
    ).click()
    wait_for_run(page)


def test_choices_are_kept_if_other_tabs_are_opened_quickly(page, server):
    """Each tab is opened before the previous one is drawn, so that its run is cut short."""
    open_page(page, server, "All heads", text="Ba do ke li mu.\n" * 16)
    select_option(page, "Colours", "log")
    wait_for_url(page, "scale=log")
    open_tab(page, "Ablation")
    wait_for_ablation(page)
    page.get_by_role("switch", name="Layer 2, head 3").click()
    wait_for_url(page, "off_2=")
    for tab in ("All heads", "Stages", "All heads", "Ablation", "Combined", "All heads"):
        page.get_by_role("tab", name=tab, exact=True).click()
    page.locator(".main-svg:visible").get_by_text("logarithmic").wait_for()
    assert selected_option(page, "Colours") == "log"
    wait_for_url(page, "scale=log")
    page.get_by_role("tab", name="Stages").click()
    page.get_by_role("tab", name="Ablation").click()
    page.get_by_test_id("stMetricDelta").wait_for()
    off = page.get_by_role("switch", name="Layer 2, head 3")
    assert off.get_attribute("aria-checked") == "false"
    wait_for_url(page, "off_2=")


@pytest.fixture
def open_in_another_browser(new_page):
    """Open the URL of a page as another visitor."""

    def open_url(page):
        other = new_page()
        visit(other, page.url, "Attention")
        return other

    return open_url


def test_the_choices_of_all_heads_are_in_the_link(page, open_in_another_browser, server):
    open_page(page, server, "All heads")
    select_option(page, "Colours", "log")
    wait_for_url(page, "scale=log")
    select_option(page, "Scores from", "this text")
    wait_for_url(page, "scores_from=")
    page.get_by_text("One row as a table").click()
    page.get_by_role("slider").press("ArrowLeft")
    wait_for_url(page, f"query={len(TEXT) - 1}")
    other = open_in_another_browser(page)
    other.get_by_text("attention weight (logarithmic)").wait_for()
    assert (
        selected_option(other, "Colours") == "log"
        and selected_option(other, "Scores from") == "this text"
    )
    other.get_by_text("One row as a table").click()
    value = '[aria-valuenow="{0}"], input[value="{0}"]'.format(len(TEXT) - 1)
    other.get_by_test_id("stSlider").locator(value).wait_for(state="attached")


def test_the_choices_of_combined_are_in_the_link(page, open_in_another_browser, server):
    open_page(page, server, "Combined")
    page.get_by_label("Up to layer").fill("1")
    page.get_by_label("Up to layer").press("Enter")
    wait_for_url(page, "up_to=1")
    other = open_in_another_browser(page)
    wait_for_map(other)
    assert other.get_by_label("Up to layer").input_value() == "1"
    select_option(page, "Combine by", "maximum")
    wait_for_url(page, "combine=maximum")
    page.get_by_role("combobox", name="Heads").fill("L1 H2")
    page.get_by_role("option", name="L1 H2").click()
    wait_for_url(page, "combined_heads=")
    wait_for_run(page)
    other = open_in_another_browser(page)
    other.get_by_text("L1 H2", exact=True).wait_for()
    assert selected_option(other, "Combine by") == "maximum"


def test_the_choices_of_compare_are_in_the_link(page, open_in_another_browser, server):
    open_page(page, server, "Compare")
    page.get_by_label("Another text", exact=True).fill("mu ro")
    page.get_by_label("Another text", exact=True).press("Control+Enter")
    wait_for_url(page, "other_text=mu")
    page.get_by_role("combobox", name=re.compile("Checkpoint on the right")).click()
    page.get_by_role("option", name="the bundled checkpoint").click()
    wait_for_url(page, "compared_checkpoint=")
    main = page.locator(MAIN).get_by_text("Tiny Shakespeare", exact=True)
    main.wait_for()
    other = open_in_another_browser(page)
    other.locator(MAIN).get_by_text("Tiny Shakespeare", exact=True).wait_for()
    wait_for_value(other, "Another text", "mu ro")


def selected_option(page, title):
    chosen = '[aria-checked="true"], [aria-pressed="true"]'
    group = page.get_by_test_id("stButtonGroup").filter(has_text=title, visible=True)
    return group.locator(chosen).inner_text()


def test_a_view_too_long_for_a_link_is_restored_from_its_file(page, new_page, server, tmp_path):
    text = "Ba do ke li mu.\n" * 300
    open_page(page, server, "All heads")
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_label("Text", exact=True).press("Control+Enter")
    page.get_by_text("This text is too long for a link").wait_for()
    page.get_by_role("button", name="Layer 2, head 1").click()
    wait_for_title(page, "Layer 2, head 1")
    button = page.get_by_test_id("stDownloadButton").get_by_role("button", name="view.json")
    name, content = download(button)
    (tmp_path / name).write_bytes(content)

    other = new_page()
    open_page(other, server, "Stages")
    other.get_by_text("Save this view or open a saved one").click()
    opener = other.get_by_test_id("stMain").locator('input[type="file"]')
    opener.set_input_files(tmp_path / "view.json")
    wait_for_title(other, "Layer 2, head 1")
    wait_for_map(other)
    wait_for_run(other)
    wait_for_value(other, "Text", text)
