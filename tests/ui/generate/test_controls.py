"""The prompt and the sampling settings."""

from microgpt import checkpoint
from microgpt.config import GPTConfig
from microgpt.data import TINY_SHAKESPEARE_SHA256
from microgpt.engine import Decoder
from microgpt.generate import generate
from microgpt.hub import load_bundled
from microgpt.sampling import SAMPLING_SETTINGS, SamplingConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.attention.compare import OTHER
from microgpt.ui.attention.controls import PASSAGE
from microgpt.ui.generate import context, score
from microgpt.ui.generate.controls import EXAMPLES
from tests.ui.pages import GENERATE, component, first_text, open_tab, press


def test_exact_recomputes_the_whole_window(app, tiny_checkpoint):
    loaded = checkpoint.load(tiny_checkpoint)
    window, prompt = loaded.config.block_size, "ba do"
    app.run()
    app.text_area("prompt").set_value(prompt).run()
    app.number_input("length").set_value(4 * window).run()
    press(app, "Write")
    sliding = first_text(app)
    app.toggle("exact").set_value(True).run()
    press(app, "Write")
    exact = first_text(app)
    assert exact[: window + 1] == sliding[: window + 1] and exact != sliding
    config = SamplingConfig(exact=True)
    ids = loaded.tokenizer.encode(prompt)
    stream = generate(Decoder(loaded.model), loaded.tokenizer, ids, 4 * window, config)
    assert exact == prompt + "".join(character.text for character in stream)


def test_an_example_button_writes_a_text(app, use_model):
    tokenizer = CharTokenizer.from_text("".join(EXAMPLES.values()))
    config = GPTConfig(tokenizer.vocab_size, block_size=64, n_layer=1, n_head=1, n_embd=8)
    use_model(config, tokenizer, data_sha256=TINY_SHAKESPEARE_SHA256)
    app.run()
    for name, text in EXAMPLES.items():
        press(app, name)
        assert app.text_area("prompt").value == text
        assert first_text(app).startswith(text) and len(first_text(app)) == len(text) + 400
        assert not app.exception


def test_the_bundled_checkpoint_knows_all_examples():
    known = set(load_bundled().tokenizer.characters)
    texts = [*EXAMPLES.values(), score.PASSAGE, context.PASSAGE, PASSAGE, OTHER]
    assert all(known >= set(text) for text in texts)


def test_every_sampling_setting_has_a_slider_and_is_in_the_link(app):
    app.run()
    sliders = {slider.key for slider in app.slider}
    link = component(app)["link"]
    assert sliders >= SAMPLING_SETTINGS.keys() and link.keys() >= SAMPLING_SETTINGS.keys()
    assert link["top_k"] == "28", "the size of the vocabulary, which keeps all"
    open_tab(app, GENERATE, "Side by side")
    assert {f"other_{name}" for name in SAMPLING_SETTINGS} <= {each.key for each in app.slider}
