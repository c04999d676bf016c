"""The app in a browser, on the small checkpoint."""

import re
from pathlib import Path

import pytest

from tests.browser.driving import (
    generated_text,
    go_to,
    point_until,
    set_more,
    visit,
    wait_for_run,
    wait_for_text,
)
from tests.ui.pages import TITLES

pytestmark = pytest.mark.browser


def test_the_first_visit_of_a_new_server_can_be_a_deep_link(page, app_server, tiny_checkpoint):
    with app_server({"MICROGPT_CHECKPOINT": str(tiny_checkpoint)}) as url:
        visit(
            page,
            f"{url}/attention?attention_view=All+heads&layer=2&head=3&text=ba%20do",
            "Attention",
        )
        page.get_by_role("heading", name="Layer 2, head 3").wait_for()
        page.wait_for_function("() => document.querySelector('textarea')?.value === 'ba do'")
        assert "head=3" in page.url
        assert page.locator('[data-testid="stSidebarNavLink"]').count() == len(TITLES)
        assert page.title() == "Attention · microGPT"


def test_a_written_text_is_kept_while_another_page_is_open(page, server):
    visit(page, server, "Generate")
    assert len(generated_text(page)) > 100, "the page opens with a text"
    page.get_by_label("Prompt", exact=True).fill("ba do ke")
    set_more(page, Characters_to_write=50)
    page.get_by_test_id("stBaseButton-primary").click()
    wait_for_text(page, "t.startsWith('ba do ke') && t.length >= 50")
    wait_for_run(page)
    page.get_by_text(
        re.compile(r"^50 characters after the prompt · [\d,]+ characters/s")
    ).wait_for()

    go_to(page, "Loss record")
    page.locator('[data-testid="stPlotlyChart"] .main-svg').first.wait_for()
    page.get_by_text("best estimate, 2.5500").wait_for()
    wait_for_run(page)

    go_to(page, "Generate")
    assert generated_text(page).startswith("ba do ke"), "the text is kept"


def test_stop_keeps_the_text_so_far(page, phone, app_server):
    with app_server() as url:  # on the bundled checkpoint, which needs longer
        _assert_stop_keeps_the_text(page, url)
        _assert_stop_stays_in_view(phone, url)


def _assert_stop_stays_in_view(phone, url):
    visit(phone, f"{url}/?prompt=ba&length=50", "Generate")
    set_more(phone, Characters_to_write=10_000)
    phone.get_by_test_id("stBaseButton-primary").click()
    wait_for_text(phone, "t.length > 60")
    stop = phone.get_by_test_id("stMain").get_by_role("button", name="Stop")
    for position in (0, 10_000):
        phone.get_by_test_id("stMain").evaluate("(main, to) => main.scrollTo(0, to)", position)
        box = stop.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 844
    assert not phone.get_by_test_id("stStatusWidget").get_by_role("button").is_visible()
    stop.click()
    phone.get_by_text("stopped before 10,000").wait_for()
    after = phone.get_by_role("button", name="Go on").bounding_box()
    corners = [(each["x"] + each["width"], each["y"]) for each in (box, after)]
    assert corners[0] == corners[1], "Go on is where Stop was"
    phone.get_by_role("button", name="Go on").click()
    stop.wait_for()
    assert not phone.get_by_role("button", name="Go on").is_visible()


def _assert_stop_keeps_the_text(page, url):
    visit(page, f"{url}/?prompt=ba", "Generate")
    before = generated_text(page)
    set_more(page, Characters_to_write=10_000)
    page.get_by_test_id("stBaseButton-primary").click()
    wait_for_text(page, f"t.length > {len(before) + 100}")
    page.get_by_test_id("stMain").get_by_role("button", name="Stop").click()
    page.get_by_text("stopped before 10,000").wait_for()
    wait_for_run(page)
    text = generated_text(page)
    assert len(before) < len(text) < 10_000
    assert page.get_by_test_id("stMain").get_by_role("button", name="Stop").count() == 0
    # The generation has ended: the next visit to the page shows the same text.
    go_to(page, "Attention")
    go_to(page, "Generate")
    assert generated_text(page) == text
    set_more(page, Characters_to_write=len(text) + 50)
    page.get_by_role("button", name="Go on").click()
    wait_for_run(page)
    page.get_by_text(f"{len(text) + 50:,} characters after the prompt").wait_for()
    assert generated_text(page).startswith(text)


def test_a_link_opens_with_the_same_text_in_another_browser(page, new_page, server):
    visit(page, server, "Generate")
    page.get_by_label("Prompt", exact=True).fill("li mu")
    set_more(page, Characters_to_write=80, Seed=12)
    page.get_by_test_id("stBaseButton-primary").click()
    page.get_by_text("80 characters after the prompt").wait_for()
    wait_for_run(page)
    page.wait_for_url(re.compile("seed=12"), wait_until="commit")
    other = new_page()
    visit(other, page.url, "Generate")
    assert generated_text(other) == generated_text(page)


def test_a_button_replaces_unknown_characters(page, server):
    visit(page, server, "Generate")
    page.get_by_label("Prompt", exact=True).fill("ba é")
    page.get_by_label("Prompt", exact=True).blur()
    page.get_by_text("not in the vocabulary: 'é' (position 4).").wait_for()
    page.get_by_role("button", name="Replace them").click()
    page.wait_for_function("() => document.querySelector('textarea')?.value === 'ba e'")
    wait_for_run(page)
    assert page.locator('[data-testid="stAlert"]').count() == 0


def test_a_text_too_long_for_a_link_is_left_out_with_a_note(page, server):
    visit(page, server, "Generate")
    page.get_by_label("Prompt", exact=True).fill("ba do " * 2000)
    page.get_by_label("Prompt", exact=True).blur()
    page.get_by_text("too long for a link").wait_for()
    wait_for_run(page)
    assert len(page.url) < 4000
    assert page.get_by_label("Prompt", exact=True).input_value() == "ba do " * 2000
    page.get_by_label("Prompt", exact=True).fill("ba")
    page.get_by_label("Prompt", exact=True).blur()
    page.wait_for_url(re.compile(r"prompt=ba$"), wait_until="commit")


def test_a_head_is_selected_by_click_and_by_keyboard(page, server):
    visit(page, f"{server}/attention?attention_view=All+heads", "Attention")
    grid = page.locator('button[aria-label^="Layer"]')
    grid.last.wait_for()
    assert grid.count() == 6
    page.get_by_role("heading", name="Layer 1, head 1").wait_for()
    page.get_by_role("button", name="Layer 2, head 2").click()
    page.get_by_role("heading", name="Layer 2, head 2").wait_for()
    wait_for_run(page)
    assert "layer=2" in page.url and "head=2" in page.url
    page.get_by_role("button", name="Layer 2, head 2").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Layer 1, head 3").wait_for()


def test_the_map_shows_its_weights_on_hover(page, server):
    visit(page, f"{server}/attention?attention_view=All+heads&text=ba", "Attention")
    plot = page.locator('[data-testid="stPlotlyChart"] .nsewdrag').first
    plot.wait_for()
    label = page.locator(".hoverlayer").get_by_text("b (1) attends to b (1): 1")
    point_until(lambda: plot.hover(position={"x": 40, "y": 40}), label)


TEXT_BOX, CHART = ".tokens .page", '[data-testid="stPlotlyChart"]'
TABLE = '[data-testid="stDataFrame"]'
# Charts and maps are visible as a whole; texts and tables may go on below the window.
WHOLE = (
    CHART,
    ".grid",
    ".map",
    ".model-flow .picture",
    ".life .text",
    ".life .heads",
    ".life .slider",
    ".translation .map",
    ".translation .training",
)
# What each tab is about. The texts are short, so that the model has little to compute.
RESULTS = {
    "?view=Write&length=50": [TEXT_BOX],
    "?view=Side+by+side&length=50": [TEXT_BOX],
    "?view=Score+a+text": [TEXT_BOX],
    "?view=Context+length&context_text=The+king": [CHART],
    "attention": [".life .text", ".life .heads", ".life .slider"],
    "attention?attention_view=All+heads": [CHART, ".grid"],
    "attention?attention_view=On+the+text": [".strip .text"],
    "attention?attention_view=Head+scores": [TABLE],
    "attention?attention_view=Ablation": [CHART],
    "attention?attention_view=Stages": [CHART],
    "attention?attention_view=Combined": [CHART],
    "attention?attention_view=Compare": [CHART],
    "inside?inside_view=Through+the+model": [".model-flow .picture"],
    "inside?inside_view=Layer+by+layer": [".lens table"],
    "inside?inside_view=Why+this+character": [".effects"],
    "inside?inside_view=Neurons": [".neurons .text", ".neurons .list"],
    "inside?inside_view=Tour": [".st-key-tour"],
    "cross_attention": [".translation .map", ".translation .training"],
    "loss_record?record_view=Curves": [CHART],
    "loss_record?record_view=Snapshots": [".sample", ".map"],
    "loss_record?record_view=Baselines": [CHART],
    "loss_record?record_view=Compare+runs": [CHART],
    "train": [".vocabulary"],
    "loss_record?record_view=Measure+your+text": [TEXT_BOX],  # a link of an earlier version
}


def test_a_laptop_shows_the_result_of_each_tab_without_scrolling(new_page, app_server):
    """All of a chart; of a text or table at least 200 pixels, or all of it if it is smaller."""
    page = new_page(viewport={"width": 1280, "height": 800})
    with app_server() as url:  # with the bundled checkpoint, which has all tabs
        for address, results in RESULTS.items():
            page.goto(f"{url}/{address}")
            for result in results:
                page.locator(result).first.wait_for()
            wait_for_run(page)
            for result in results:
                box = page.locator(result).first.bounding_box()
                needed = box["height"] if result in WHOLE else min(box["height"], 200)
                assert box["y"] + needed <= 800, f"{result} of {address}"


def test_the_choice_of_a_bundled_checkpoint_is_in_the_link_and_kept_on_every_page(
    page, new_page, app_server
):
    with app_server() as url:
        visit(page, url, "Generate")
        sidebar = page.get_by_test_id("stSidebar")
        sidebar.get_by_role("combobox", name="Checkpoint").click()
        page.get_by_role("option", name="Repeated letters", exact=True).click()
        sidebar.get_by_text("trained on Repeated letters").wait_for()
        go_to(page, "Loss record")
        sidebar.get_by_text("trained on Repeated letters").wait_for()
        assert "checkpoint=Repeated+letters" in page.url
        other = new_page()
        visit(other, page.url, "Loss record")
        other.get_by_test_id("stSidebar").get_by_text("trained on Repeated letters").wait_for()


# The contrast of a text with its background (WCAG 2.2, 1.4.3).
CONTRAST = """selector => {
    const node = document.querySelector(selector);
    // The three parts of color(srgb …) are from 0 to 1.
    const numbers = (colour) => colour.match(/[0-9.]+/g).map(
        (part, at) => Number(part) * (colour.startsWith("color(") && at < 3 ? 255 : 1)
    );
    const { color, fill } = getComputedStyle(node);
    const [r, g, b, alpha = 1] = numbers(node instanceof SVGElement ? fill : color);
    let share = alpha;
    const layers = [[0, 0, 0, 0]];
    for (let each = node; layers[0][3] < 1; each = each.parentElement) {
        const { opacity, backgroundColor } = getComputedStyle(each);
        share *= opacity;
        layers.unshift([...numbers(backgroundColor), 1].slice(0, 4));
    }
    const over = (back, [r, g, b, alpha]) =>
        [r, g, b].map((each, i) => alpha * each + (1 - alpha) * back[i]);
    const back = layers.reduce(over, [0, 0, 0]);
    const text = over(back, [r, g, b, share]);
    const luminance = (colour) => {
        const [r, g, b] = colour.map((each) => each / 255).map(
            (each) => (each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
        );
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const [low, high] = [luminance(text), luminance(back)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
}"""


PARTS = ("stMain", "stSidebar")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_labels_captions_and_axes_have_enough_contrast(new_page, server, scheme):
    page = new_page(color_scheme=scheme)
    visit(page, f"{server}/attention?attention_view=All+heads&text=ba", "Attention")
    page.locator(".heatmaplayer image").first.wait_for(state="attached")
    captions = [f'[data-testid="{part}"] [data-testid="stCaptionContainer"] p' for part in PARTS]
    chosen = [f'{each}[data-selected="true"] p' for each in ('[role="tab"]', '[role="radio"]')]
    for text in (*captions, *chosen, ".xtitle", ".ytitle", ".xtick text"):
        assert page.evaluate(CONTRAST, text) >= 4.5, text


def test_the_pages_fit_a_phone(phone, server):
    for script, heading in TITLES.items():
        path = Path(script).stem
        visit(phone, f"{server}/{'' if path == 'generate' else path}", heading)
        width = phone.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
        assert width <= 390, f"{heading} scrolls sideways"
