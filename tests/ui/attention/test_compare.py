"""The Compare tab of the Attention page."""

from microgpt.config import GPTConfig
from microgpt.tokenizer import CharTokenizer
from tests.ui.pages import ATTENTION, captions, charts, open_tab


def test_another_text_or_checkpoint_is_compared(app):
    open_tab(app, ATTENTION, "Compare")
    left, right = charts(app)
    assert left != right
    app.text_area("other_text").set_value(app.text_area("text").value).run()
    left, right = charts(app)
    assert left == right
    app.selectbox("compared_checkpoint").select_index(1).run()
    assert not app.exception
    left, right = charts(app)
    assert left != right


def test_both_texts_with_too_large_maps_are_cut_with_one_note(open_attention, use_model):
    config = GPTConfig(vocab_size=2, block_size=256, n_layer=16, n_head=16, n_embd=16)
    folder = use_model(config, CharTokenizer("ab"))
    app = open_attention(folder, "Compare", text="ab", other_text="ab" * 128)
    assert not app.exception and app.slider("query_right").value == 128
    assert captions(app).count("the page shows only the last 128 characters") == 1


def test_a_malformed_repo_is_an_error_and_the_maps_stay(open_attention):
    app = open_attention(tab="Compare")
    before = charts(app)
    app.selectbox("compared_checkpoint").set_value("one from the Hub").run()
    assert not app.exception and not app.error and charts(app) == before
    app.text_input("compared_repo").set_value("no repo at all").run()
    assert not app.exception and charts(app) == before
    assert len(app.error) == 1 and "user/name" in app.error[0].value
    app.selectbox("compared_checkpoint").set_value("this checkpoint").run()
    assert not app.error and charts(app) == before
