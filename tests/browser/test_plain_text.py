"""Text from outside, in every place where Streamlit would read Markdown."""

import pytest

from tests.browser.conftest import ROOT

pytestmark = pytest.mark.browser

TEXTS = (
    *(":material/delete:", ":red[x]", ":smile:", ":streamlit:", "$x$", "~~s~~", "_x_", "**x**"),
    *("a -> b", "<- c", "a <-> b", "a -- b", "--", "a >= b", "a <= b", "a ~= b"),
    *("- item", "+ item", "* item", "- [ ] todo", "1. one", "1) one", "# h", "> q", "---", "==="),
    *("| a | b |", "[x](y)", "![a](b)", "<b>x</b>", "&amp;", "`c`", "\\"),
    *("    four spaces", "a space "),
    *("https://a.example/x", "www.a.example", "a@b.example"),
)
SCRIPT = f"""
import streamlit as st
from microgpt.ui.text import escaped
for at, text in enumerate({TEXTS!r}):
    with st.container(key=f"text-{{at}}"):
        st.markdown(f"**{{escaped(text)}}**")
        st.caption("first  \\n" + escaped(text))
        st.error(escaped(text))
        st.button(escaped(text), key=f"button-{{at}}")
st.text("the end")
"""
# What the four elements show around the text, and the elements that Markdown would make.
AROUND = ["{}", "first\n{}", "{}", "{}"]
MADE = "li, a, h1, h2, hr, em, del, code, img, table, blockquote, input, sup, [role=img]"
BLOCKS = '[data-testid="stMarkdownContainer"], [data-testid="stCaptionContainer"]'


@pytest.fixture(scope="module")
def server(app_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    (folder / "app.py").write_text(SCRIPT, encoding="utf-8")
    with app_server({"PYTHONPATH": str(ROOT)}, folder) as url:
        yield url


def test_a_text_is_shown_exactly_as_it_is(page, server):
    page.goto(server)
    page.get_by_text("the end").wait_for()
    for at, text in enumerate(TEXTS):
        blocks = page.locator(f".st-key-text-{at}").locator(BLOCKS)
        blocks.nth(len(AROUND) - 1).wait_for()
        found = blocks.evaluate_all(
            """(nodes, made) => nodes.map((node) => [
                node.textContent.replaceAll("\u2060", "").trim(),
                node.querySelectorAll(made).length,
            ])""",
            MADE,
        )
        shown = [(around.format(text.strip()), 0) for around in AROUND]
        assert [(each.replace(f"\n{4 * ' '}", "\n"), made) for each, made in found] == shown
