"""The Generate page in a browser: hover, click, keys and links on a generated text."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from microgpt.checkpoint import load
from tests.browser.driving import TEXT, generated_text, set_more, visit, wait_for_run, wait_for_text

pytestmark = pytest.mark.browser


@pytest.fixture
def text(page, server):
    """The page with a short generated text."""
    visit(page, f"{server}/?prompt=ba%20do&length=60", "Generate")
    page.locator(".char").nth(59).wait_for()
    return page


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_a_text_is_in_view_when_the_page_opens(new_page, app_server, width, height):
    page = new_page(viewport={"width": width, "height": height}, has_touch=width < 640)
    with app_server() as url:  # the default text of the bundled checkpoint
        visit(page, url, "Generate")
        page.locator(".char").nth(399).wait_for()
        assert height - page.locator(TEXT).bounding_box()["y"] >= 300
        row = [page.get_by_role("slider", name=name) for name in ("Temperature", "Top-k")]
        boxes = [
            each.bounding_box() for each in (*row, page.get_by_test_id("stBaseButton-primary"))
        ]
        assert max(b["y"] for b in boxes) < min(b["y"] + b["height"] for b in boxes), "in one row"


def test_more_settings_say_how_many_are_changed(page, server):
    visit(page, f"{server}/?length=60&seed=1&top_p=0.9", "Generate")
    page.get_by_role("button", name="More settings · 2 changed").wait_for()
    set_more(page, Seed=2)
    page.get_by_role("button", name="More settings · 3 changed").wait_for()
    set_more(page, Seed=1, Characters_to_write=400)
    page.get_by_role("button", name="More settings · 1 changed").wait_for()
    wait_for_run(page)
    page.get_by_text("You changed the settings after this text was written").wait_for()


def test_hover_shows_the_alternatives_of_a_character(text):
    text.get_by_text("Point at a character or tap it").wait_for()
    text.locator(".char").nth(11).hover()
    text.get_by_text("character 12 of 60").wait_for()
    first = text.locator(".facts").inner_text()
    assert re.search(r"probability [\d.]+ % · rank \d+ of 28", first)
    assert re.search(r"after the settings [\d.]+ % · 28 possible", first)
    assert text.locator(".alternative").count() == 6
    text.locator(".char").nth(12).hover()
    text.get_by_text("character 13 of 60").wait_for()
    assert text.locator(".facts").inner_text() != first


def test_a_text_is_coloured_by_the_selected_measure(text):
    char = text.locator(".char").nth(20)
    assert char.evaluate("node => node.style.getPropertyValue('--share')") == ""
    shares = []
    for name in ("Probability", "Surprisal"):
        text.get_by_role("radio", name=f"Colour by: {name}").click()
        shares.append(char.evaluate("node => node.style.getPropertyValue('--share')"))
    assert all(re.fullmatch(r"\d+%", share) for share in shares) and shares[0] != shares[1]
    assert text.locator(".tokens .legend").inner_text().split() == ["0", "6+", "nats"]
    text.get_by_role("radio", name="Colour by: Surprisal").press("ArrowRight")
    assert (
        text.get_by_role("radio", name="Colour by: Plain").get_attribute("aria-checked") == "true"
    )


def test_a_click_on_an_alternative_branches_the_text(text):
    original = generated_text(text)
    text.locator(".char").nth(9).click()
    alternative = text.locator("button.alternative").first
    char = alternative.locator(".name").inner_text()
    alternative.click()
    text.get_by_text("differs from character 10 on").wait_for()
    wait_for_run(text)
    assert generated_text(text, 1) == original, "the old text stays below the new one"
    new = generated_text(text)
    prefix = new[: len("ba do") + 10]
    assert prefix[:-1] == original[: len(prefix) - 1] and prefix[-1] != original[len(prefix) - 1]
    assert prefix[-1] == {"␣": " ", "⏎": "\n"}.get(char, char)
    assert text.get_by_label("Prompt", exact=True).input_value() == prefix
    marks = text.locator(".mark").all_inner_texts()
    assert marks == [prefix[-1], original[len(prefix) - 1]], "the first difference is marked"
    text.get_by_role("button", name="Go back to this text").click()
    wait_for_text(text, f"t.length === {len(original)}")
    wait_for_run(text)
    assert generated_text(text) == original and text.locator(".tokens").count() == 1


def test_a_button_of_the_card_shows_all_characters_at_a_position(text):
    text.locator(".char").nth(9).click()
    text.get_by_role("button", name="All characters at this position").click()
    heading = text.get_by_role("heading", name="Other characters at position 10")
    heading.wait_for()
    wait_for_run(text)
    text.wait_for_function(
        """() => {
            const { top, bottom } = document.querySelector(".st-key-distribution")
                .getBoundingClientRect();
            return top >= 0 && top < innerHeight / 2;
        }"""
    )


@pytest.mark.parametrize("tab", ["Side by side", "Score a text"])
def test_a_dialog_shows_all_characters_at_a_position(page, server, tab):
    visit(page, f"{server}/?view={tab}&prompt=ba&length=50&scored=ba+do+ke", "Generate")
    page.locator(".char").nth(4).click()
    page.get_by_role("button", name="All characters at this position").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("All characters at position 5").wait_for()
    dialog.locator(".main-svg").first.wait_for()
    dialog.get_by_test_id("stDataFrame").wait_for()
    wait_for_run(page)
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")


def test_the_card_shows_a_character_before_one_is_selected(text):
    char = text.locator(".char.preview")
    at = int(char.get_attribute("data-at"))
    text.get_by_text(f"character {at + 1} of 60").wait_for()
    text.get_by_text("Point at a character or tap it.").wait_for()
    assert char.inner_text().strip() and text.locator(".alternative").count() == 6
    text.locator(".char").nth(20).hover()
    text.get_by_text("character 21 of 60").wait_for()
    assert char.count() == 0
    text.mouse.move(0, 0)
    text.get_by_text(f"character {at + 1} of 60").wait_for()


def test_keys_move_from_character_to_character(text):
    page = text.locator(".tokens .page")
    page.press("Home")
    text.get_by_text("character 1 of 60").wait_for()
    page.press("ArrowRight")
    page.press("ArrowRight")
    text.get_by_text("character 3 of 60").wait_for()
    page.press("End")
    text.get_by_text("character 60 of 60").wait_for()
    page.press("Enter")
    text.get_by_role("heading", name="Other characters at position 60").wait_for()
    page.press("Escape")
    text.get_by_role("button", name="Deselect the character").wait_for(state="detached")


def test_the_generation_is_replayed(text):
    text.get_by_role("button", name="Replay how the text was written").click()
    text.locator(".future").last.wait_for()
    text.get_by_role("button", name="Pause").click()
    at = text.locator(".position").inner_text()
    text.get_by_role("button", name="Go to the next character").click()
    assert text.locator(".position").inner_text() != at
    assert text.locator(".replay").count() == 0


def test_text_and_link_are_copied(new_page, server, tiny_checkpoint):
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    visit(page, f"{server}/?prompt=ba%20do&length=60&seed=3&exact=true", "Generate")
    page.locator(".char").nth(59).wait_for()
    copied = []
    for name in ("Copy the text", "Copy link to this text and its settings"):
        page.get_by_role("button", name=name).click()
        page.get_by_text("Copied", exact=True).wait_for()
        copied.append(page.evaluate("navigator.clipboard.readText()"))
        page.get_by_text("Copied", exact=True).wait_for(state="detached")
    assert copied[0] == generated_text(page)
    settings = parse_qs(urlsplit(copied[1]).query)
    assert settings.pop("weights")[0] in load(tiny_checkpoint).weights_sha256
    expected = {"prompt": "ba do", "length": "60", "temperature": "0.8", "top_k": "28"}
    expected |= {"top_p": "1.0", "seed": "3", "exact": "true"}
    assert settings == {name: [value] for name, value in expected.items()}
    visit(page, f"{server}/?{urlsplit(copied[1]).query}", "Generate")
    page.locator(".char").nth(59).wait_for()
    assert generated_text(page) == copied[0]
    page.get_by_text("· exact").wait_for()
    assert page.get_by_text("made with another checkpoint").count() == 0
    visit(page, f"{server}/?weights=abc", "Generate")
    page.get_by_text("made with another checkpoint").wait_for()


def test_a_long_prompt_is_cut_on_the_page_but_not_in_the_copy(new_page, server):
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    prompt = "ba do " * 200
    visit(page, f"{server}/?prompt={'ba+do+' * 200}&length=5", "Generate")
    page.locator(".char").nth(4).wait_for()
    assert generated_text(page)[0] == "…" and len(generated_text(page)) == 1 + 500 + 5
    page.get_by_role("button", name="Copy the text").click()
    page.get_by_text("Copied", exact=True).wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == prompt + generated_text(page)[-5:]


def test_the_first_difference_of_two_texts_is_marked(page, server):
    visit(page, f"{server}/?view=Side+by+side&prompt=ba&length=80&other_temperature=2", "Generate")
    page.locator(".mark").nth(1).wait_for()
    left, right = generated_text(page), generated_text(page, 1)
    at = int(page.locator(".mark").first.get_attribute("data-at"))
    assert left[: 2 + at] == right[: 2 + at] and left[2 + at] != right[2 + at]
    page.get_by_text(f"differ at character {at + 1}, which is marked").wait_for()


def test_the_card_beside_a_narrow_text_does_not_cover_it(new_page, server):
    page = new_page(viewport={"width": 1280, "height": 800})
    visit(page, f"{server}/?view=Side+by+side&prompt=ba&length=400", "Generate")
    page.locator(".char").nth(399).wait_for()
    card, text = page.locator(".card").first, page.locator(TEXT).first
    before = card.bounding_box()
    text.evaluate("node => (node.scrollTop = node.scrollHeight)")
    page.locator(".char").nth(380).hover()
    page.get_by_text("character 381 of 400").wait_for()
    assert card.bounding_box() == before, "nothing moves below the pointer"
    box = text.bounding_box()
    assert box["y"] + box["height"] <= before["y"]


def test_on_a_phone_a_selected_character_is_above_its_card(phone, server):
    visit(phone, f"{server}/?view=Side+by+side&prompt=ba&length=120", "Generate")
    phone.locator(".char").nth(239).wait_for()
    assert phone.locator(".sheet").count() == 0
    for at in (3, 119, 239):  # the last one ends the page
        char, sheet = phone.locator(".char").nth(at), phone.locator(".sheet")
        char.tap()
        phone.get_by_text(f"character {at % 120 + 1} of 120").last.wait_for()
        assert sheet.count() == 1, "only one of both texts has a sheet"
        top = sheet.bounding_box()["y"]
        box, card = char.bounding_box(), sheet.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= top, at
        assert card["y"] + card["height"] == 844 and card["width"] == 390
    sheet.get_by_role("button", name="Deselect the character").tap()
    sheet.wait_for(state="detached")


def test_a_text_is_scored(page, server):
    visit(page, f"{server}/?view=Score+a+text&scored=ba+do+ke", "Generate")
    page.locator(".char").nth(6).wait_for()
    assert generated_text(page) == "ba do ke"
    loss = page.get_by_test_id("stMetricValue").first.inner_text()
    page.locator(".char").nth(2).hover()
    page.get_by_text("character 3 of 7").wait_for()
    assert "after the settings" not in page.locator(".facts").inner_text()
    page.get_by_label("Text to score", exact=True).fill("ba do zz")
    page.get_by_label("Text to score", exact=True).blur()
    page.get_by_text("not in the vocabulary: 'z' (position 7)").wait_for()
    page.locator("mark").nth(1).wait_for()
    assert page.locator("mark").all_inner_texts() == ["z", "z"]
    page.get_by_label("Text to score", exact=True).fill("ba do ta")
    page.get_by_label("Text to score", exact=True).blur()
    wait_for_text(page, "t === 'ba do ta'")
    wait_for_run(page)
    assert page.get_by_test_id("stMetricValue").first.inner_text() != loss


def test_the_context_length_tab_follows_its_text(page, server):
    visit(page, f"{server}/?view=Context+length", "Generate")
    page.get_by_text("context length (characters)").wait_for()
    page.get_by_text("brighter from top to bottom").wait_for()
    wait_for_run(page)
    page.get_by_label("Text", exact=True).fill("ba")
    page.get_by_label("Text", exact=True).blur()
    page.get_by_text("The probability of the last character.").wait_for()
    wait_for_run(page)
