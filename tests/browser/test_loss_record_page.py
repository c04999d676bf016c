"""The Loss record page in a real browser: its tabs, its scrubber, what it lets one take home."""

import io

import numpy as np
import pandas as pd
import pytest

from microgpt import checkpoint
from microgpt.checkpoint.loss_record import COLUMNS
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.ui.charts.style import visible
from tests.browser.driving import downloaded, settle, turn_to, visit

pytestmark = pytest.mark.browser
SCRUB = "record_view=Snapshots"


@pytest.fixture(scope="module")
def server(app_server, checkpoint_with_snapshots):
    with app_server({"MICROGPT_CHECKPOINT": str(checkpoint_with_snapshots)}) as url:
        yield f"{url}/loss_record"


@pytest.fixture(scope="module")
def grown(checkpoint_with_snapshots):
    return checkpoint.load(checkpoint_with_snapshots)


@pytest.fixture
def scrubber(page, server):
    """The page with the scrubber, at the last step."""
    visit(page, f"{server}?{SCRUB}&snapshot_layer=1&snapshot_head=2", "Loss record")
    page.get_by_text("Step 20", exact=True).wait_for()
    return page


def open_tab(page, name):
    page.get_by_role("tab", name=name).click()
    page.get_by_role("tab", name=name, selected=True).wait_for()
    settle(page)


def shown(page):
    """All that a step changes: its number, losses, marker, sample, map and expectations."""
    return {
        "step": page.locator(".step").inner_text(),
        "losses": page.locator(".legend").inner_text().split("\n"),
        "marker": page.locator(".line").evaluate("node => node.style.left"),
        "sample": page.locator(".sample").text_content(),
        "map": page.locator(".map").evaluate("node => node.toDataURL()"),
        "expected": page.locator(".predictions").inner_text(),
    }


def test_the_open_tab_is_in_the_url_and_is_kept(page, server):
    visit(page, server, "Loss record")
    page.get_by_text("best validation loss, 2.5500").wait_for()
    open_tab(page, "Compare runs")
    page.get_by_text("phase4, validation").wait_for()
    assert "record_view=Compare+runs" in page.url
    page.reload()
    page.get_by_text("phase4, validation").wait_for()
    settle(page)
    turn_to(page, "Generate")
    turn_to(page, "Loss record")
    page.get_by_role("tab", name="Compare runs", selected=True).wait_for()
    open_tab(page, "Curves")
    page.get_by_role("button", name="Watch the model learn").click()
    page.get_by_text("Step 20", exact=True).wait_for()


def test_keys_move_the_slider_from_step_to_step(scrubber, grown):
    slider = scrubber.get_by_role("slider", name="Training step")
    seen = []
    for key, step, losses in (
        ("Home", 0, ["validation 3.250", "training 3.200"]),
        ("ArrowRight", 10, ["validation 2.900", "training 2.800"]),
        ("End", 20, ["validation 2.550", "training 2.400"]),
    ):
        slider.press(key)
        now = shown(scrubber)
        sample = grown.snapshots.samples[grown.snapshots.steps.tolist().index(step)]
        assert now["step"] == f"Step {step}" and now["losses"][1:] == losses
        assert now["sample"] == grown.tokenizer.decode(sample)
        assert slider.get_attribute("aria-valuetext").startswith(f"Step {step}, validation loss")
        seen.append(now)
    for part in ("marker", "map", "expected"):
        assert len({each[part] for each in seen}) == 3, part


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
        scrubber.get_by_role("slider", name="Training step").press(" ")
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
    assert names == ["Pause", "Play"]
    assert shown(scrubber)["step"] == "Step 0"


def test_a_click_or_a_drag_on_the_curve_selects_a_step(scrubber):
    box = scrubber.locator(".chart").bounding_box()
    middle = box["y"] + box["height"] / 2
    scrubber.mouse.click(box["x"] + 2, middle)
    assert shown(scrubber)["step"] == "Step 0"
    scrubber.mouse.move(box["x"] + 2, middle)
    scrubber.mouse.down()
    scrubber.mouse.move(box["x"] + 0.55 * box["width"], middle)
    scrubber.mouse.up()
    scrubber.mouse.move(box["x"] + box["width"], middle)
    assert shown(scrubber)["step"] == "Step 10"
    assert scrubber.get_by_role("slider", name="Training step").input_value() == "1"


def weight_at(page, grown, query, key):
    """What the page should say of a cell of the map of layer 1, head 2 at the last step."""
    labels = visible(grown.tokenizer.decode(grown.snapshots.passage))
    weight = grown.snapshots.maps[-1, 0, 1, query, key] / 255
    return f"{labels[query]} ({query + 1}) attends to {labels[key]} ({key + 1}): {weight:.2f}"


def place(page, grown, query, key):
    page.locator(".map").scroll_into_view_if_needed()
    box, size = page.locator(".map").bounding_box(), len(grown.snapshots.passage)
    return (
        box["x"] + (key + 0.5) * box["width"] / size,
        box["y"] + (query + 0.5) * box["height"] / size,
    )


def test_hover_shows_a_weight_of_the_map(scrubber, grown):
    before = scrubber.locator(".weight").inner_text()
    scrubber.mouse.move(*place(scrubber, grown, 9, 4))
    assert scrubber.locator(".weight").inner_text() == weight_at(scrubber, grown, 9, 4)
    scrubber.mouse.move(*place(scrubber, grown, 4, 9))  # a masked cell says nothing new
    assert scrubber.locator(".weight").inner_text() == weight_at(scrubber, grown, 9, 4)
    scrubber.mouse.move(0, 0)
    assert scrubber.locator(".weight").inner_text() == before


def test_a_tap_on_a_phone_shows_what_hover_shows(browser, server, grown):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    context.set_default_timeout(60_000)
    page = context.new_page()
    visit(page, f"{server}?{SCRUB}&snapshot_layer=1&snapshot_head=2", "Loss record")
    page.get_by_text("Step 20", exact=True).wait_for()
    page.touchscreen.tap(*place(page, grown, 9, 4))
    assert page.locator(".weight").inner_text() == weight_at(page, grown, 9, 4)
    assert page.locator('.letter[aria-pressed="true"]').count() == 1
    assert page.locator(".letter").nth(9).get_attribute("aria-pressed") == "true"
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    height = page.locator(".scrubber").bounding_box()["height"]
    slider = page.get_by_role("slider", name="Training step")
    for key in ("Home", "ArrowRight"):
        slider.press(key)
        assert page.locator(".scrubber").bounding_box()["height"] == height, "nothing jumps"
    context.close()


def test_a_selected_character_shows_the_predictions_after_it(scrubber, grown):
    labels = visible(grown.tokenizer.decode(grown.snapshots.passage))
    characters = visible(grown.tokenizer.characters)
    letters = scrubber.locator(".letter")
    assert letters.all_inner_texts() == labels

    def check(at):
        assert letters.nth(at).get_attribute("aria-pressed") == "true"
        after = scrubber.locator(".context").inner_text()
        assert after.replace("…", "").endswith(f"{labels[at]} → {[*labels, '?'][at + 1]}")
        names = scrubber.locator(".prediction .char").all_inner_texts()
        probs = grown.snapshots.probs[-1, at].astype(float)
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
    scrubber.get_by_role("slider", name="Training step").press("Home")
    before = shown(scrubber)
    scrubber.get_by_role("heading", name="Attention of layer 1, head 2").wait_for()
    for name, value in (("Head", "3"), ("Layer", "2")):
        scrubber.get_by_label(name, exact=True).fill(value)
        scrubber.get_by_label(name, exact=True).press("Enter")
    scrubber.get_by_role("heading", name="Attention of layer 2, head 3").wait_for()
    settle(scrubber)
    after = shown(scrubber)
    assert after["map"] != before["map"]
    assert after | {"map": before["map"]} == before
    assert scrubber.locator(".letter").nth(5).get_attribute("aria-pressed") == "true"
    assert "snapshot_head=3" in scrubber.url and "snapshot_layer=2" in scrubber.url


def taken(page, name):
    return downloaded(page.get_by_role("button", name=name, exact=True))[1]


def test_the_files_of_the_snapshots_are_downloaded(scrubber, grown):
    samples = [grown.tokenizer.decode(each) for each in grown.snapshots.samples]
    text = taken(scrubber, "samples.txt").decode()
    assert [text.count(f"== step {step}, ") for step in (0, 10, 20)] == [1, 1, 1]
    assert all(sample in text for sample in samples)
    table = pd.read_csv(io.BytesIO(taken(scrubber, "samples.csv")))
    assert (
        table["validation loss (nats)"].tolist() == [3.25, 2.9, 2.55]
        and table["sample"].tolist() == samples
    )
    shape = grown.config.n_layer, grown.config.n_head, grown.config.vocab_size
    again = Snapshots.from_npz(taken(scrubber, "snapshots.npz"), *shape)
    np.testing.assert_array_equal(again.maps, grown.snapshots.maps)


def test_the_table_of_each_tab_is_downloaded(page, app_server):
    with app_server() as url:
        visit(page, f"{url}/loss_record", "Loss record")
        page.get_by_text("As a table").click()
        record = pd.read_csv(io.BytesIO(taken(page, "loss_record.csv")))
        assert tuple(record.columns) == (*COLUMNS, "format") and len(record) > 2
        for tab, name, column, values in (
            ("Baselines", "baselines.csv", "model", {"Uniform", "This checkpoint"}),
            ("Compare runs", "runs.csv", "run", {"this checkpoint", "phase4"}),
            ("Measure your text", "measured.csv", "model", {"this checkpoint", "bigram"}),
        ):
            open_tab(page, tab)
            table = pd.read_csv(io.BytesIO(taken(page, name)))
            assert values <= set(table[column])
