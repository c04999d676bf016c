"""What is around every page: the title, the links to the pages, the sidebar, and printing."""

from itertools import pairwise

import pytest

from tests.browser.driving import visit, wait_for_run

pytestmark = pytest.mark.browser


def test_a_title_stands_at_the_top_and_says_what_the_model_is(page, server):
    visit(page, server, "Generate")
    assert page.get_by_role("heading", name="Generate", exact=True).bounding_box()["y"] < 50
    assert page.get_by_text("A GPT of").is_visible()
    page.get_by_test_id("stSidebarHeader").hover()
    page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
    page.get_by_test_id("stExpandSidebarButton").wait_for()
    logo = page.get_by_test_id("stHeaderLogo").bounding_box()
    title = page.get_by_role("heading", name="Generate", exact=True).bounding_box()
    assert title["y"] >= logo["y"] + logo["height"]


def test_on_a_phone_the_pages_are_reachable_without_the_sidebar(phone, server):
    visit(phone, server, "Generate")
    links = phone.locator(".st-key-page_links")
    menu = phone.get_by_test_id("stMainMenu").bounding_box()
    for name in ("Attention", "Loss record", "Train"):
        link = links.get_by_role("link", name=name, exact=True)
        box = link.bounding_box()
        assert box["x"] >= 0 and box["height"] >= 24 and box["x"] + box["width"] <= menu["x"]
        assert box["y"] >= 0
        link.tap()
        phone.get_by_role("heading", name=name, exact=True).wait_for()
        wait_for_run(phone)


def test_on_a_phone_the_links_below_a_view_are_close_together(phone, server):
    visit(phone, f"{server}/attention?attention_view=All+heads", "Attention")
    links = phone.locator(".st-key-next_steps button")
    links.first.wait_for()
    boxes = links.evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect()).map((box) => [box.top, box.height])"
    )
    rows = sorted({top for top, _ in boxes})
    height = boxes[0][1]
    assert len(rows) > 2 and height >= 24
    assert all(below - above < 1.2 * height for above, below in pairwise(rows))


def test_the_upload_of_a_checkpoint_lists_no_file_types(page, server):
    visit(page, server, "Generate")
    sidebar = page.get_by_test_id("stSidebar")
    sidebar.get_by_text("Open a checkpoint from a file").wait_for()
    assert "per file" not in sidebar.inner_text()


def test_on_a_phone_the_sidebar_closes_after_a_choice(phone, server):
    visit(phone, server, "Generate")
    phone.get_by_test_id("stExpandSidebarButton").tap()
    sidebar = phone.get_by_test_id("stSidebar")
    sidebar.get_by_role("link", name="Attention", exact=True).tap()
    phone.get_by_role("heading", name="Attention", exact=True).wait_for()
    wait_for_run(phone)
    phone.locator('[data-testid="stSidebar"][data-collapsed="true"]').wait_for(state="attached")


def test_a_term_is_explained_to_a_pointer_a_key_and_a_finger(page, phone, server):
    shown = "(term) => getComputedStyle(term, '::after').content"
    for visitor in (page, phone):
        visit(visitor, server, "Generate")
        visitor.locator(".char").first.wait_for()  # the page moves until its text is there
        term = visitor.get_by_test_id("stMain").locator(".term").first
        assert term.evaluate(shown) == "none"
        ways = (term.hover, term.focus) if visitor is page else (term.tap,)
        for way in ways:
            for _ in range(5):  # a page that is still being drawn moves below the pointer
                way()
                if term.get_attribute("data-definition") in (content := term.evaluate(shown)):
                    break
            assert term.get_attribute("data-definition") in content
            visitor.mouse.move(0, 0)
            term.blur()
    box = phone.locator(".term").first.locator("xpath=ancestor::*[@data-testid][1]").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390


def test_a_printed_page_has_the_text_and_the_chart_and_no_controls(page, server):
    visit(page, f"{server}/loss_record", "Loss record")
    chart = page.locator(".js-plotly-plot").first
    chart.wait_for()
    page.emulate_media(media="print")
    assert chart.is_visible()
    assert page.get_by_role("heading", name="Loss record", exact=True).is_visible()
    for hidden in ("stSidebar", "stHeader", "stTab", "stDownloadButton"):
        for each in page.get_by_test_id(hidden).all():
            assert not each.is_visible(), hidden
