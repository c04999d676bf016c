"""The Loss record page in a browser: its tabs, the scrubber of the snapshots, its downloads."""

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from microgpt import checkpoint
from microgpt.checkpoint.loss_record import COLUMNS
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.ui.charts.style import visible
from tests.browser.driving import download, go_to, visit, wait_for_run

pytestmark = pytest.mark.browser
SCRUB = "loss_record?record_view=Snapshots"
BUNDLED = Path(__file__).parents[2] / "assets/checkpoints/induction"  # 60 snapshots
SMALL = "Small model 4: LayerNorm before the head"


@pytest.fixture(scope="module")
def folder(checkpoint_with_snapshots):
    return checkpoint_with_snapshots


@pytest.fixture
def scrubber(page, server):
    """The page with the scrubber, at the last step."""
    visit(page, f"{server}/{SCRUB}&layer=1&head=2", "Loss record")
    page.get_by_text("Step 20", exact=True).wait_for()
    return page


def open_tab(page, name):
    page.get_by_role("tab", name=name).click()
    page.get_by_role("tab", name=name, selected=True).wait_for()
    wait_for_run(page)


def state(page):
    """What changes with the step: its number, losses, marker, sample, map and predictions."""
    return {
        "step": page.locator(".step").inner_text(),
        "losses": page.locator(".legend").inner_text().split("\n"),
        "marker": page.locator(".line").evaluate("node => node.style.left"),
        "sample": page.locator(".sample").text_content(),
        "map": page.locator(".map").evaluate("node => node.toDataURL()"),
        "expected": page.locator(".predictions").inner_text(),
    }


def test_the_open_tab_is_in_the_url_and_is_kept(page, server):
    visit(page, f"{server}/loss_record", "Loss record")
    page.get_by_text("best estimate, 2.5500").wait_for()
    open_tab(page, "Compare runs")
    page.get_by_text(f"{SMALL}, validation").wait_for()
    assert "record_view=Compare+runs" in page.url
    page.reload()
    page.get_by_text(f"{SMALL}, validation").wait_for()
    wait_for_run(page)
    go_to(page, "Generate")
    go_to(page, "Loss record")
    page.get_by_role("tab", name="Compare runs", selected=True).wait_for()
    open_tab(page, "Curves")
    page.get_by_role("button", name="Watch the model learn").click()
    page.get_by_text("Step 20", exact=True).wait_for()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_labels_of_many_snapshots_do_not_overlap(page, app_server, width):
    page.set_viewport_size({"width": width, "height": 844})
    with app_server({"MICROGPT_CHECKPOINT": str(BUNDLED)}) as url:
        visit(page, f"{url}/{SCRUB}", "Loss record")
        ticks = page.locator(".scrubber .tick:visible")
        ticks.first.wait_for()
        boxes = [each.bounding_box() for each in ticks.all()]
    assert len(boxes) < len(checkpoint.load(BUNDLED).snapshots.steps)
    ends = [box["x"] + box["width"] for box in boxes]
    assert all(end < box["x"] for end, box in zip(ends, boxes[1:], strict=False))


def test_keys_move_the_slider_from_step_to_step(scrubber, loaded):
    slider = scrubber.locator("input.slider")
    states = []
    for key, step, losses in (
        ("Home", 0, ["validation 3.250", "training 3.200"]),
        ("ArrowRight", 10, ["validation 2.900", "training 2.800"]),
        ("End", 20, ["validation 2.550", "training 2.400"]),
    ):
        slider.press(key)
        now = state(scrubber)
        sample = loaded.snapshots.samples[loaded.snapshots.steps.tolist().index(step)]
        assert now["step"] == f"Step {step}" and now["losses"][1:] == losses
        assert now["sample"] == loaded.tokenizer.decode(sample)
        assert slider.get_attribute("aria-valuetext").startswith(f"Step {step}, validation loss")
        states.append(now)
    for part in ("marker", "map", "expected"):
        assert len({each[part] for each in states}) == 3, part


@pytest.mark.parametrize("by", ["button", "space"])
def test_play_shows_every_step_and_ends(scrubber, by):
    scrubber.locator(".step").evaluate(
        """node => {
            window.steps = [];
            new MutationObserver(() => window.steps.push(node.textContent))
                .observe(node, {childList: true});
        }"""
    )
    scrubber.get_by_label("Speed").select_option("2×")
    if by == "button":
        scrubber.get_by_role("button", name="Play").click()
    else:
        scrubber.locator("input.slider").press(" ")
    scrubber.wait_for_function("() => window.steps.at(-1) === 'Step 20'")
    assert scrubber.evaluate("window.steps") == ["Step 0", "Step 10", "Step 20"]
    scrubber.get_by_role("button", name="Play").wait_for()


def test_a_second_click_pauses(scrubber):
    play = scrubber.locator(".play")
    names = play.evaluate(
        """node => [0, 1].map(() => {
            node.click();
            return node.getAttribute("aria-label");
        })"""
    )
    assert names == ["Pause", "Play the training"]
    assert state(scrubber)["step"] == "Step 0"


def test_a_click_or_a_drag_on_the_curve_selects_a_step(scrubber):
    chart = scrubber.locator(".chart")
    chart.click(position={"x": 2, "y": 10})  # waits until the page no longer moves
    assert state(scrubber)["step"] == "Step 0"
    wait_for_run(scrubber)
    box = chart.bounding_box()
    middle = box["y"] + box["height"] / 2
    scrubber.mouse.move(box["x"] + 2, middle)
    scrubber.mouse.down()
    scrubber.mouse.move(box["x"] + 0.55 * box["width"], middle)
    scrubber.mouse.up()
    scrubber.mouse.move(box["x"] + box["width"], middle)
    assert state(scrubber)["step"] == "Step 10"
    assert scrubber.locator("input.slider").input_value() == "1"


def expected_label(loaded, query, key):
    """The text for a cell of the map of layer 1, head 2 at the last step."""
    labels = visible(loaded.tokenizer.decode(loaded.snapshots.passage))
    weight = loaded.snapshots.maps[-1, 0, 1, query, key] / 255
    return f"{labels[query]} ({query + 1}) attends to {labels[key]} ({key + 1}): {weight:.2f}"


def cell_position(page, loaded, query, key):
    """The x and y of a cell of the map."""
    page.locator(".map").scroll_into_view_if_needed()
    box, size = page.locator(".map").bounding_box(), len(loaded.snapshots.passage)
    return (
        box["x"] + (key + 0.5) * box["width"] / size,
        box["y"] + (query + 0.5) * box["height"] / size,
    )


def test_hover_shows_a_weight_of_the_map(scrubber, loaded):
    before = scrubber.locator(".weight").inner_text()
    scrubber.mouse.move(*cell_position(scrubber, loaded, 9, 4))
    assert scrubber.locator(".weight").inner_text() == expected_label(loaded, 9, 4)
    scrubber.mouse.move(*cell_position(scrubber, loaded, 4, 9))  # a masked cell has no label
    assert scrubber.locator(".weight").inner_text() == expected_label(loaded, 9, 4)
    scrubber.mouse.move(0, 0)
    assert scrubber.locator(".weight").inner_text() == before


def test_a_tap_on_a_phone_shows_what_hover_shows(phone, server, loaded):
    visit(phone, f"{server}/{SCRUB}&layer=1&head=2", "Loss record")
    phone.get_by_text("Step 20", exact=True).wait_for()
    phone.touchscreen.tap(*cell_position(phone, loaded, 9, 4))
    assert phone.locator(".weight").inner_text() == expected_label(loaded, 9, 4)
    assert phone.locator('.letter[aria-pressed="true"]').count() == 1
    assert phone.locator(".letter").nth(9).get_attribute("aria-pressed") == "true"
    assert phone.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    height = phone.locator(".scrubber").bounding_box()["height"]
    slider = phone.locator("input.slider")
    for key in ("Home", "ArrowRight"):
        slider.press(key)
        assert phone.locator(".scrubber").bounding_box()["height"] == height, (
            "the height does not change"
        )


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["laptop", "phone"])
def test_the_map_and_its_controls_are_visible_at_once(new_page, server, size):
    width, height = size
    page = new_page(viewport={"width": width, "height": height})
    visit(page, f"{server}/{SCRUB}", "Loss record")
    for name in (".play", ".slider", ".map"):
        box = page.locator(name).bounding_box()
        assert box["y"] >= 0 and box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height, name
    map_box = page.locator(".map").bounding_box()
    assert map_box["width"] == pytest.approx(map_box["height"], abs=1)
    head = page.get_by_role("combobox", name=re.compile("Head")).bounding_box()
    assert head["y"] + head["height"] < map_box["y"]


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["laptop", "phone"])
def test_the_chart_of_several_runs_is_above_the_upload_and_in_view(new_page, server, size):
    width, height = size
    page = new_page(viewport={"width": width, "height": height})
    visit(page, f"{server}/loss_record?record_view=Compare+runs", "Loss record")
    page.get_by_text(f"{SMALL}, validation").wait_for()
    chart = page.get_by_test_id("stPlotlyChart").bounding_box()
    upload = page.get_by_test_id("stMain").get_by_test_id("stFileUploader").bounding_box()
    assert chart["y"] + chart["height"] <= min(height, upload["y"])


def test_the_labels_of_a_chart_grow_on_a_projector(new_page, server):
    def labels(width, height):
        """The sizes of the labels, and how far each is from the nearest edge of the chart."""
        page = new_page(viewport={"width": width, "height": height})
        visit(page, f"{server}/loss_record?record_view=Compare+runs", "Loss record")
        page.locator(".legendtext", has_text=SMALL).first.wait_for()
        return page.locator(".stPlotlyChart text:not(:empty)").evaluate_all(
            """(all) => all.map((text) => {
                const box = text.getBoundingClientRect(), of = text.closest('.stPlotlyChart');
                const chart = of.getBoundingClientRect();
                const sides = [box.left - chart.left, chart.right - box.right];
                const free = Math.min(...sides, box.top - chart.top, chart.bottom - box.bottom);
                return [parseFloat(getComputedStyle(text).fontSize), free];
            })"""
        )

    small, large = labels(1280, 800), labels(1920, 1080)
    assert min(size for size, _ in small) < min(size for size, _ in large) == 16
    assert min(free for _, free in large) >= 0


def test_a_selected_character_shows_the_predictions_after_it(scrubber, loaded):
    labels = visible(loaded.tokenizer.decode(loaded.snapshots.passage))
    characters = visible(loaded.tokenizer.characters)
    letters = scrubber.locator(".letter")
    assert letters.all_inner_texts() == labels

    def check(at):
        assert letters.nth(at).get_attribute("aria-pressed") == "true"
        after = scrubber.locator(".context").inner_text()
        assert after.replace("…", "").endswith(f"{labels[at]} → {[*labels, '?'][at + 1]}")
        names = scrubber.locator(".prediction .char").all_inner_texts()
        probs = loaded.snapshots.probs[-1, at].astype(float)
        assert names[0] == characters[probs.argmax()] and len(names) == 6
        true = scrubber.locator(".prediction.correct .char").all_inner_texts()
        assert true == labels[at + 1 : at + 2], "the true one is always there"
        return names

    letters.nth(3).click()
    first = check(3)
    letters.nth(3).press("ArrowRight")
    assert check(4) != first
    letters.last.click()
    check(len(labels) - 1)


def test_another_head_keeps_the_step_and_the_character(scrubber):
    scrubber.locator(".letter").nth(5).click()
    scrubber.locator("input.slider").press("Home")
    before = state(scrubber)
    scrubber.get_by_role("heading", name="Layer 1, head 2").wait_for()
    for name, value in (("Head", "3"), ("Layer", "2")):
        scrubber.get_by_role("combobox", name=re.compile(name)).click()
        scrubber.get_by_role("option", name=value, exact=True).click()
        wait_for_run(scrubber)
    scrubber.get_by_role("heading", name="Layer 2, head 3").wait_for()
    wait_for_run(scrubber)
    after = state(scrubber)
    assert after["map"] != before["map"]
    assert after | {"map": before["map"]} == before
    assert scrubber.locator(".letter").nth(5).get_attribute("aria-pressed") == "true"
    scrubber.wait_for_url(re.compile("step=0"), wait_until="commit")
    assert "head=3" in scrubber.url and "layer=2" in scrubber.url


def download_file(page, name):
    return download(page.get_by_role("button", name=name, exact=True))[1]


def test_the_files_of_the_snapshots_are_downloaded(scrubber, loaded):
    samples = [loaded.tokenizer.decode(each) for each in loaded.snapshots.samples]
    text = download_file(scrubber, "samples.txt").decode()
    assert [text.count(f"== step {step}, ") for step in (0, 10, 20)] == [1, 1, 1]
    assert all(sample in text for sample in samples)
    table = pd.read_csv(io.BytesIO(download_file(scrubber, "samples.csv")))
    assert table["validation loss (nats per character)"].tolist() == [3.25, 2.9, 2.55]
    assert table["sample"].tolist() == samples
    shape = loaded.config.n_layer, loaded.config.n_head, loaded.config.vocab_size
    again = Snapshots.from_npz(download_file(scrubber, "snapshots.npz"), *shape)
    np.testing.assert_array_equal(again.maps, loaded.snapshots.maps)


def test_the_table_of_each_tab_is_downloaded(page, app_server):
    with app_server() as url:
        visit(page, f"{url}/loss_record", "Loss record")
        page.get_by_text("As a table").click()
        record = pd.read_csv(io.BytesIO(download_file(page, "loss_record.csv")))
        assert tuple(record.columns) == (*COLUMNS, "format") and len(record) > 2
        for tab, name, column, values in (
            ("Baselines", "baselines.csv", "model", {"Uniform", "This checkpoint"}),
            ("Compare runs", "runs.csv", "run", {"this checkpoint", SMALL}),
        ):
            open_tab(page, tab)
            table = pd.read_csv(io.BytesIO(download_file(page, name)))
            assert values <= set(table[column])
