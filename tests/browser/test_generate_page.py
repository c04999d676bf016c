"""The Generate page in a browser: hover, click, keys and links on a generated text."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from microgpt.checkpoint import load
from tests.browser.driving import TEXT, generated_text, visit, wait_for_run, wait_for_text

pytestmark = pytest.mark.browser


@pytest.fixture
def text(page, server):
    """The page with a short generated text."""
    visit(page, f"{server}/?prompt=ba%20do&length=60", "Generate")
    page.locator(".char").nth(59).wait_for()
    return page


def test_hover_shows_the_alternatives_of_a_character(text):
    text.get_by_text("Point at a character or tap it").wait_for()
    text.locator(".char").nth(11).hover()
    text.get_by_text("character 12 of 60").wait_for()
    first = text.locator(".facts").inner_text()
    assert re.search(r"probability [\d.]+ % · rank \d+ of 28", first)
    assert re.search(r"after the settings [\d.]+ % · 28 possible characters", first)
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
    text.get_by_role("heading", name="Other characters at position 10").wait_for()
    wait_for_run(text)
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
    text.get_by_text("Point at a character or tap it").wait_for()


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
    for name in ("Copy the text", "Copy a link to this text and its settings"):
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
    page.get_by_text("· exact past the window").wait_for()
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


def test_the_card_of_a_narrow_text_does_not_hide_the_pointer(page, server):
    """If the card covered the pointer, each movement would hide and show the card."""
    visit(page, f"{server}/?view=Side+by+side&prompt=ba&length=400", "Generate")
    page.locator(".char").nth(399).wait_for()
    page.locator(".card").first.evaluate(
        """card => {
            window.changes = 0;
            const count = () => window.changes++;
            const options = {attributes: true, attributeFilter: ["class"]};
            new MutationObserver(count).observe(card, options);
        }"""
    )
    text = page.locator(TEXT).first
    text.evaluate("node => node.scrollIntoView({block: 'end'})")
    box = text.bounding_box()
    for step in range(12):
        page.mouse.move(box["x"] + 30 + 5 * step, box["y"] + 0.8 * box["height"])
    assert page.locator(".position").first.inner_text().startswith("character ")
    assert page.evaluate("window.changes") == 1


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
