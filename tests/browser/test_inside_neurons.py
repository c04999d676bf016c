"""The Neurons tab in a browser: the list, the text, the downloads, by mouse, keys and touch."""

import io
import re
from urllib.parse import urlencode

import pandas as pd
import pytest

from microgpt.analysis.neurons import activations
from microgpt.analysis.residuals import residual_stream
from microgpt.ui.charts import style
from tests.browser.driving import download, visit, wait_for_run

pytestmark = pytest.mark.browser

TEXT = "Ba do ke.\nBa do"
NAMES = style.position_names(TEXT)


def open_neurons(page, server, **query):
    query = {"text": TEXT, **query, "inside_view": "Neurons"}
    visit(page, f"{server}/inside?{urlencode(query)}", "Inside")
    cells(page).first.wait_for()
    wait_for_run(page)
    return page


def cells(page):
    return page.locator(".neurons .text .cell")


def colours(page):
    return cells(page).evaluate_all("nodes => nodes.map((node) => node.style.background)")


def summary(page, start):
    """The line above the text, once it starts with these words."""
    line = page.locator(".neurons .summary", has_text=re.compile("^" + re.escape(start)))
    line.wait_for()
    return line.inner_text()


def press_another(page):
    """Press a row with another neuron than the chosen one; return the neuron's number."""
    numbers = page.locator(".neurons .row .number").all_inner_texts()
    chosen = page.locator('.neurons .row[aria-checked="true"] .number').inner_text()
    at = next(at for at, number in enumerate(numbers) if number != chosen)
    page.locator(".neurons .row").nth(at).click()
    page.locator(f'.neurons .row:nth-child({at + 1})[aria-checked="true"]').wait_for()
    return int(numbers[at])


def of_neuron(loaded, layer, neuron):
    points = residual_stream(loaded.model, loaded.tokenizer.encode(TEXT)).points
    return activations(loaded.model, points[2 * layer + 1], layer, neuron).tolist()


def says(values, at):
    return f"activation {float(f'{values[at]:.3g}'):.2f}" if values[at] else "silent"


def test_a_row_chooses_a_neuron_and_the_text_shows_where_it_fires(page, new_page, server, loaded):
    open_neurons(page, server)
    before = colours(page)
    number = press_another(page)
    page.wait_for_url(re.compile(f"neuron={number}\\b"), wait_until="commit")
    wait_for_run(page)
    values = of_neuron(loaded, 0, number - 1)
    after = colours(page)
    assert after != before
    assert [bool(colour) for colour in after] == [value > 0.002 for value in values]
    strongest = values.index(max(values))
    assert summary(page, NAMES[strongest]).endswith(says(values, strongest))
    for at in (2, 9):
        cells(page).nth(at).hover()
        assert summary(page, NAMES[at]).endswith(says(values, at))
    other = new_page()
    visit(other, page.url, "Inside")
    cells(other).first.wait_for()
    wait_for_run(other)
    assert colours(other) == after


def test_the_keys_move_in_the_list_and_in_the_text(page, server):
    open_neurons(page, server, neuron=5)
    page.locator(".neurons .text").press("ArrowLeft")
    chosen = page.locator(".neurons .cell.pinned")
    chosen.wait_for()
    first = page.locator(".neurons .summary").inner_text()
    assert "selected" in first
    page.locator(".neurons .text").press("Escape")
    chosen.wait_for(state="detached")
    rows = page.locator(".neurons .row")
    rows.first.focus()
    page.keyboard.press("ArrowDown")
    label = page.evaluate(
        """() => {
            let node = document.activeElement;
            while (node.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
            return node.getAttribute('aria-label');
        }"""
    )
    assert label == rows.nth(1).get_attribute("aria-label")
    page.keyboard.press("Enter")
    number = re.search(r"neuron (\d+)", label)[1]
    page.wait_for_url(re.compile(f"neuron={number}\\b"), wait_until="commit")


def test_the_activations_can_be_taken_home(page, server, loaded):
    open_neurons(page, server, neuron=7, neuron_layer=2)
    name, content = download(page.get_by_role("button", name="neuron.csv"))
    assert name == "microgpt-layer-2-neuron-7.csv"
    values = of_neuron(loaded, 1, 6)
    found = pd.read_csv(io.BytesIO(content))
    assert found["activation"].tolist() == pytest.approx(values, rel=1e-4, abs=1e-6)
    name, content = download(page.get_by_role("button", name="layer.csv"))
    found = pd.read_csv(io.BytesIO(content))
    assert name == "microgpt-layer-2-neurons.csv" and found.shape == (len(TEXT), 2 + 4 * 24)
    assert found["neuron 7"].tolist() == pytest.approx(values, rel=1e-4, abs=1e-6)


def test_a_tap_selects_a_character_and_the_tab_fits_a_phone(phone, server, loaded):
    open_neurons(phone, server, neuron_layer=2)
    number = phone.locator('.neurons .row[aria-checked="true"] .number').inner_text()
    values = of_neuron(loaded, 1, int(number) - 1)
    cells(phone).nth(3).tap()
    assert summary(phone, f"{NAMES[3]}, selected").endswith(says(values, 3))
    width = phone.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert width <= 390
    before = colours(phone)
    press_another(phone)
    phone.wait_for_function(
        """before => {
            const roots = [...document.querySelectorAll('*')].map((node) => node.shadowRoot);
            const found = roots.map((root) => root?.querySelector('.neurons .text')).find(Boolean);
            const now = [...found.querySelectorAll('.cell')].map((n) => n.style.background);
            return JSON.stringify(now) !== JSON.stringify(before);
        }""",
        arg=before,
    )
