"""The app in a browser, on the small checkpoint."""

import re
from pathlib import Path

import pytest

from tests.browser.driving import (
    generated_text,
    go_to,
    point_until,
    visit,
    wait_for_run,
    wait_for_text,
)
from tests.ui.pages import TITLES

pytestmark = pytest.mark.browser


def test_the_first_visit_of_a_new_server_can_be_a_deep_link(page, app_server, tiny_checkpoint):
    with app_server({"MICROGPT_CHECKPOINT": str(tiny_checkpoint)}) as url:
        visit(page, f"{url}/attention?layer=2&head=3&text=ba%20do", "Attention")
        page.get_by_role("heading", name="Layer 2, head 3").wait_for()
        page.wait_for_function("() => document.querySelector('textarea')?.value === 'ba do'")
        assert "head=3" in page.url
        assert page.locator('[data-testid="stSidebarNavLink"]').count() == len(TITLES)
        assert page.title() == "Attention · microGPT"


def test_a_written_text_is_kept_while_another_page_is_open(page, server):
    visit(page, server, "Generate")
    assert len(generated_text(page)) > 100, "the page opens with a text"
    page.get_by_label("Prompt", exact=True).fill("ba do ke")
    page.get_by_label("Characters to write", exact=True).fill("50")
    page.get_by_test_id("stBaseButton-primary").click()
    wait_for_text(page, "t.startsWith('ba do ke') && t.length >= 50")
    wait_for_run(page)
    page.get_by_text(
        re.compile(r"^50 characters after the prompt · [\d,]+ characters/s")
    ).wait_for()

    go_to(page, "Loss record")
    page.locator('[data-testid="stPlotlyChart"] .main-svg').first.wait_for()
    page.get_by_text("best validation loss, 2.5500").wait_for()
    wait_for_run(page)

    go_to(page, "Generate")
    assert generated_text(page).startswith("ba do ke"), "the text is kept"


def test_stop_keeps_the_text_so_far(page, app_server):
    with app_server() as url:  # on the bundled checkpoint, which needs longer
        _assert_stop_keeps_the_text(page, url)


def _assert_stop_keeps_the_text(page, url):
    visit(page, f"{url}/?prompt=ba", "Generate")
    before = generated_text(page)
    page.get_by_label("Characters to write", exact=True).fill("10000")
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


def test_a_link_opens_with_the_same_text_in_another_browser(page, new_page, server):
    visit(page, server, "Generate")
    page.get_by_label("Prompt", exact=True).fill("li mu")
    page.get_by_label("Characters to write", exact=True).fill("80")
    page.get_by_label("Seed", exact=True).fill("12")
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
    visit(page, f"{server}/attention", "Attention")
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
    visit(page, f"{server}/attention?text=ba", "Attention")
    plot = page.locator('[data-testid="stPlotlyChart"] .nsewdrag').first
    plot.wait_for()
    label = page.locator(".hoverlayer").get_by_text("b (1) attends to b (1): 1")
    point_until(lambda: plot.hover(position={"x": 40, "y": 40}), label)


TEXT_BOX, CHART = ".tokens .page", '[data-testid="stPlotlyChart"]'
TABLE = '[data-testid="stDataFrame"]'
# Charts and maps are visible as a whole; texts and tables may go on below the window.
WHOLE = (CHART, ".grid", ".map")
# What each tab is about. The texts are short, so that the model has little to compute.
RESULTS = {
    "?view=Write&length=50": [TEXT_BOX],
    "?view=Side+by+side&length=50": [TEXT_BOX],
    "?view=Score+a+text": [TEXT_BOX],
    "?view=Context+length&context_text=The+king": [CHART],
    "attention?attention_view=All+heads": [CHART, ".grid"],
    "attention?attention_view=On+the+text": [".strip .text"],
    "attention?attention_view=Head+scores": [TABLE],
    "attention?attention_view=Ablation": [CHART],
    "attention?attention_view=Stages": [CHART],
    "attention?attention_view=Combined": [CHART],
    "attention?attention_view=Compare": [CHART],
    "loss_record?record_view=Curves": [CHART],
    "loss_record?record_view=Snapshots": [".sample", ".map"],
    "loss_record?record_view=Baselines": [CHART],
    "loss_record?record_view=Compare+runs": [CHART],
    "loss_record?record_view=Measure+your+text": [TABLE],
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


# The contrast of a text with its background (WCAG 2.2, 1.4.3).
CONTRAST = """selector => {
    const node = document.querySelector(selector);
    const numbers = (colour) => colour.match(/[0-9.]+/g).map(Number);
    const { color, fill } = getComputedStyle(node);
    const [r, g, b, alpha = 1] = numbers(node instanceof SVGElement ? fill : color);
    let share = alpha, back = [0, 0, 0, 0];
    for (let each = node; back[3] === 0; each = each.parentElement) {
        const { opacity, backgroundColor } = getComputedStyle(each);
        share *= opacity;
        back = [...numbers(backgroundColor), 1].slice(0, 4);
    }
    const text = [r, g, b].map((each, i) => share * each + (1 - share) * back[i]);
    const luminance = (colour) => {
        const [r, g, b] = colour.map((each) => each / 255).map(
            (each) => (each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
        );
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const [low, high] = [luminance(text), luminance(back.slice(0, 3))].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
}"""


PARTS = ("stMain", "stSidebar")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_captions_and_axes_have_enough_contrast(new_page, server, scheme):
    page = new_page(color_scheme=scheme)
    visit(page, f"{server}/attention?text=ba", "Attention")
    page.locator(".heatmaplayer image").first.wait_for(state="attached")
    captions = [f'[data-testid="{part}"] [data-testid="stCaptionContainer"] p' for part in PARTS]
    for text in (*captions, ".xtitle", ".ytitle", ".xtick text"):
        assert page.evaluate(CONTRAST, text) >= 4.5, text


def test_the_pages_fit_a_phone(phone, server):
    for script, heading in TITLES.items():
        path = Path(script).stem
        visit(phone, f"{server}/{'' if path == 'generate' else path}", heading)
        width = phone.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
        assert width <= 390, f"{heading} scrolls sideways"
