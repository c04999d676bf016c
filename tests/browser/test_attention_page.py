"""The Attention page in a browser: the grid of heads, and the files of a map."""

import io
import re

import numpy as np
import pandas as pd
import pytest

from microgpt import checkpoint
from microgpt.analysis.attention import attention_maps
from tests.browser.driving import download, visit, wait_for_run

pytestmark = pytest.mark.browser


def wait_for_title(page, title):
    page.get_by_role("heading", name=title, exact=True).wait_for()
    wait_for_run(page)


def test_a_mean_is_selected_by_click_and_by_link(page, new_page, server):
    visit(page, f"{server}/attention?attention_view=All+heads", "Attention")
    page.get_by_role("button", name="Mean of layer 2").click()
    wait_for_title(page, "Mean of layer 2")
    page.wait_for_url(re.compile(r"layer=2&head=mean"), wait_until="commit")
    page.get_by_role("button", name="Mean of all heads").click()
    wait_for_title(page, "Mean of all heads")
    page.wait_for_url(re.compile(r"layer=mean&head=mean"), wait_until="commit")
    pressed = page.locator('button[aria-pressed="true"][aria-label="Mean of all heads"]')
    pressed.wait_for()

    other = new_page()
    visit(other, page.url, "Attention")
    wait_for_title(other, "Mean of all heads")
    other.get_by_role("button", name="Layer 2, head 1").click()
    wait_for_title(other, "Layer 2, head 1")


def test_the_arrow_keys_reach_the_means(page, server):
    visit(page, f"{server}/attention?attention_view=All+heads", "Attention")
    start = page.get_by_role("button", name="Layer 1, head 3")
    start.wait_for()
    start.focus()

    def press(key, name):
        page.keyboard.press(key)
        page.wait_for_function(
            """name => {
                const roots = [...document.querySelectorAll('*')].map((node) => node.shadowRoot);
                const active = roots.map((root) => root?.activeElement).find(Boolean);
                return (active ?? document.activeElement).ariaLabel?.startsWith(name);
            }""",
            arg=name,
        )

    press("ArrowRight", "Mean of layer 1")
    press("ArrowDown", "Mean of layer 2")
    press("ArrowDown", "Mean of all heads")
    press("ArrowUp", "Mean of layer 2")
    press("ArrowLeft", "Layer 2, head 3")
    press("ArrowDown", "Layer 2, head 3")
    press("ArrowRight", "Mean of layer 2")
    press("ArrowRight", "Mean of all heads")
    page.keyboard.press("Enter")
    wait_for_title(page, "Mean of all heads")
    press("ArrowLeft", "Mean of layer 2")
    page.keyboard.press("Space")
    wait_for_title(page, "Mean of layer 2")


def download_file(page, label):
    return download(page.get_by_role("button", name=label, exact=True))


def test_the_files_of_a_map_are_downloaded(page, new_page, server, tiny_checkpoint, tmp_path):
    text = "ba do\nke li"
    visit(
        page,
        f"{server}/attention?attention_view=All+heads&layer=2&head=mean&text=ba%20do%0Ake%20li",
        "Attention",
    )
    wait_for_title(page, "Mean of layer 2")
    loaded = checkpoint.load(tiny_checkpoint)
    weights = attention_maps(loaded.model, loaded.tokenizer.encode(text)).weights
    mean = weights[1].mean(dim=0).numpy()

    name, content = download_file(page, "CSV")
    assert name == "microgpt-mean-of-layer-2.csv"
    csv = pd.read_csv(io.BytesIO(content))
    np.testing.assert_allclose(csv["attention"], mean[np.tril_indices(11)], rtol=1e-5, atol=1e-9)

    name, content = download_file(page, "All heads, NPZ")
    assert name == "microgpt-heads.npz"
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        np.testing.assert_allclose(file["weights"], weights.numpy(), atol=1e-6)
        assert "".join(file["characters"]) == text
        assert file["weights_sha256"].item() == loaded.weights_sha256

    name, content = download_file(page, "HTML")
    assert name == "microgpt-mean-of-layer-2.html"
    (tmp_path / name).write_bytes(content)
    offline = new_page(offline=True)
    offline.goto((tmp_path / name).as_uri())
    offline.locator(".main-svg .heatmaplayer image").first.wait_for(state="attached")
    assert offline.title() == "Mean of layer 2 · microGPT"
    offline.get_by_text("query (attends)").wait_for()


def test_the_link_of_a_tab_is_copied(new_page, server):
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    visit(page, f"{server}/attention?attention_view=All+heads", "Attention")
    page.get_by_role("button", name="Mean of layer 2").click()
    wait_for_title(page, "Mean of layer 2")
    page.wait_for_url(re.compile(r"layer=2&head=mean"), wait_until="commit")
    page.get_by_role("button", name="Copy link to this tab").click()
    page.get_by_text("Copied", exact=True).wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    other = new_page()
    visit(other, link, "Attention")
    wait_for_title(other, "Mean of layer 2")


@pytest.mark.parametrize(
    ("image", "start"), [("SVG", b"<svg "), ("PNG", b"\x89PNG\r\n")], ids=["SVG", "PNG"]
)
def test_the_chart_menu_saves_the_selected_image_format(page, server, image, start):
    visit(page, f"{server}/attention?attention_view=All+heads&text=ba", "Attention")
    page.get_by_role("radio", name=image, exact=True).or_(
        page.get_by_role("button", name=image, exact=True)
    ).first.click()
    wait_for_run(page)
    chart = page.get_by_test_id("stPlotlyChart").first
    chart.hover()
    with page.expect_download() as event:
        chart.locator('.modebar-btn[data-title^="Download plot"]').click()
    assert event.value.suggested_filename == f"microgpt-layer-1-head-1.{image.lower()}"
    assert event.value.path().read_bytes().startswith(start)
