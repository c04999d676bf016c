"""The Through the model tab."""

import base64

import numpy as np
import pytest

from microgpt import checkpoint
from microgpt.analysis.position import attention_parts, position_at
from microgpt.analysis.residuals import residual_stream
from microgpt.config import GPTConfig
from tests.ui import pages
from tests.ui.pages import INSIDE, captions, errors, open_tab, trigger

TEXT = "ba do ke"


def opened(app, text=TEXT, **state):
    for key, value in {"text": text, **state}.items():
        app.session_state[key] = value
    return open_tab(app, INSIDE, "Through the model")


def floats(packed, dtype="<f4"):
    return np.frombuffer(base64.b64decode(packed), dtype)


def expected(folder, at, text=TEXT):
    loaded = checkpoint.load(folder)
    ids = loaded.tokenizer.encode(text)
    return loaded, position_at(loaded.model, ids, residual_stream(loaded.model, ids), at)


def component(app):
    """The numbers of the picture."""
    return pages.component(app, 1)


def answer(app):
    return pages.component(app, 2)


def sampling(app):
    return pages.component(app, 3)["values"]


def ask(app, kind, layer=0, head=0, index=0):
    request = {"kind": kind, "layer": layer, "head": head, "index": index}
    return trigger(app, "explain", request)


def test_the_picture_holds_the_numbers_of_the_last_position(app, tiny_checkpoint):
    sent = component(opened(app))
    loaded, found = expected(tiny_checkpoint, len(TEXT) - 1)
    assert "".join(sent["labels"]) == TEXT.replace(" ", "␣")
    assert sent["at"] == len(TEXT) - 1
    np.testing.assert_array_equal(floats(sent["logits"]), found.logits)
    np.testing.assert_array_equal(floats(sent["embedding"]["sum"]), found.embedded)
    for layer, (block, shown) in enumerate(zip(found.blocks, sent["blocks"], strict=True)):
        shades = floats(shown["shades"], "u1").reshape(block.weights.shape) / 255
        assert (shades.max(axis=1) == 1).all(), "the largest weight of each row is the brightest"
        relative = block.weights / block.weights.amax(dim=1, keepdim=True)
        np.testing.assert_allclose(shades, relative, atol=0.5 / 255 + 1e-6)
        parts = attention_parts(loaded.model, layer, block)
        assert [part["share"] for part in shown["attention"]] == [part.share for part in parts]
        assert shown["active"] == block.active
    middle = found.blocks[sent["open"]]
    np.testing.assert_array_equal(floats(sent["opened"]["neuron"]), middle.neurons.relu())
    np.testing.assert_array_equal(floats(sent["opened"]["after"]), middle.after)


def test_another_position_changes_the_numbers(app, tiny_checkpoint):
    before = component(opened(app))
    trigger(app, "query", 2)
    sent = component(app)
    _, found = expected(tiny_checkpoint, 2)
    assert sent["at"] == 2 and app.session_state["query"] == 3
    assert sent["name"] != before["name"]
    np.testing.assert_array_equal(floats(sent["logits"]), found.logits)


def test_another_block_and_head_open(app, tiny_checkpoint):
    opened(app)
    trigger(app, "block", 0)
    assert component(app)["open"] == 0
    _, found = expected(tiny_checkpoint, len(TEXT) - 1)
    score = floats(component(app)["opened"]["score"])
    np.testing.assert_array_equal(score, found.blocks[0].scores.flatten())
    trigger(app, "head", 2)
    assert component(app)["head"] == 2 and component(app)["open"] == 0
    trigger(app, "block", -1)
    assert component(app)["open"] is None and component(app)["opened"] is None


def test_the_highest_logit_is_explained_first(app, tiny_checkpoint):
    opened(app)
    _, found = expected(tiny_checkpoint, len(TEXT) - 1)
    assert answer(app)["number"] == {
        "kind": "logit",
        "layer": 0,
        "head": 0,
        "index": int(found.logits.argmax()),
    }
    assert answer(app)["explanation"]["value"] == found.logits.max().item()


def test_a_number_is_explained_when_it_is_pointed_at(app, tiny_checkpoint):
    opened(app)
    picture = component(app)
    ask(app, "neuron", layer=1, index=5)
    _, found = expected(tiny_checkpoint, len(TEXT) - 1)
    told = answer(app)["explanation"]
    assert told["title"] == "Neuron 6 of layer 2"
    assert told["value"] == max(0.0, found.blocks[1].neurons[5].item())
    listed = sum(product for *_, product in told["terms"])
    assert listed + told["rest"][1] + told["constant"] == pytest.approx(told["total"])
    assert told["total"] == pytest.approx(found.blocks[1].neurons[5].item(), abs=1e-4)
    assert component(app) == picture


def test_the_number_stays_the_same_at_another_position(app):
    opened(app)
    ask(app, "score", layer=1, head=2, index=1)
    trigger(app, "query", 3)
    assert answer(app)["number"]["kind"] == "score"
    assert answer(app)["name"] == component(app)["name"] and answer(app)["missing"] is None
    asked = answer(app)["number"]
    trigger(app, "query", 0)  # has no second character to attend to
    assert answer(app)["number"]["kind"] == "logit" and answer(app)["missing"] == asked


def test_the_drawn_character_continues_the_text(app, tokenizer):
    opened(app)
    trigger(app, "write", tokenizer.encode("o")[0])
    assert app.session_state["text"] == TEXT + "o"
    assert component(app)["at"] == len(TEXT)
    trigger(app, "write", 10_000)
    trigger(app, "query", 1)
    trigger(app, "write", tokenizer.encode(".")[0])  # only the end of the text can be continued
    assert app.session_state["text"] == TEXT + "o" and not app.exception


def test_the_sliders_of_the_picture_are_in_the_link(app, tokenizer):
    settings = {"temperature": 0.8, "top_k": tokenizer.vocab_size, "top_p": 1.0}
    assert sampling(opened(app)) == settings
    settings |= {"temperature": 1, "top_k": 3}  # a browser sends 1.0 as 1
    trigger(app, "sampling", settings)
    assert not app.exception and sampling(app) == settings
    assert app.query_params["picture_temperature"] in ("1", ["1"])
    assert app.query_params["picture_top_k"] in ("3", ["3"])
    trigger(app, "sampling", settings | {"temperature": 10**6, "top_k": -5})
    assert sampling(app)["temperature"] == 2 and sampling(app)["top_k"] == 1


@pytest.mark.parametrize(
    "values",
    [
        None,
        "0.5",
        {"temperature": 0.5},
        {"temperature": "0.5", "top_k": 3, "top_p": 1},
        {"temperature": float("nan"), "top_k": 3, "top_p": 1},
        {"temperature": True, "top_k": 3, "top_p": 1},
        {"temperature": 0.5, "top_k": 3, "top_p": 1, "more": 1},
    ],
    ids=str,
)
def test_anything_else_is_no_sampling(app, values):
    before = sampling(opened(app))
    trigger(app, "sampling", values)
    assert not app.exception and not errors(app) and sampling(app) == before


@pytest.mark.parametrize(
    "request_",
    [
        None,
        "logit",
        {"kind": "logit"},
        {"kind": "logit", "layer": 0, "head": 0, "index": -1},
        {"kind": "logit", "layer": 0, "head": 0, "index": 10**6},
        {"kind": "logit", "layer": 0, "head": 0, "index": 1.5},
        {"kind": "nothing", "layer": 0, "head": 0, "index": 0},
        {"kind": "neuron", "layer": 9, "head": 0, "index": 0},
        {"kind": ["logit"], "layer": 0, "head": 0, "index": 0},
    ],
)
def test_a_number_that_the_model_does_not_have_is_not_explained(app, request_):
    before = answer(opened(app))
    trigger(app, "explain", request_)
    assert not app.exception and not errors(app)
    assert answer(app) == before | {"missing": answer(app)["missing"]}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"residual": False, "norm": "none"}, "no residual connections"),
        ({"norm": "none"}, "no LayerNorm."),
        ({"norm": "blocks"}, "no LayerNorm before its output head"),
        ({"n_layer": 1, "n_head": 1, "n_embd": 8, "mlp_ratio": 1}, "the shares sum to 100 %"),
        ({"n_layer": 12, "n_head": 12, "n_embd": 48}, "the shares sum to 100 %"),
    ],
    ids=str,
)
def test_every_shape_of_model_works(app, use_model, tokenizer, changes, sentence):
    shape = {"n_layer": 2, "n_head": 3, "n_embd": 24} | changes
    use_model(GPTConfig(vocab_size=tokenizer.vocab_size, block_size=16, **shape), tokenizer)
    opened(app)
    assert not errors(app) and sentence in captions(app)
    for kind in ("norm_attention", "middle", "after", "norm_final", "mlp_share"):
        ask(app, kind)
        told = answer(app)
        assert told["number"]["kind"] == kind
        assert told["explanation"]["total"] == pytest.approx(told["explanation"]["value"], abs=1e-4)


def test_a_text_of_one_character_works(app):
    assert component(opened(app, "b"))["at"] == 0


def test_an_empty_text_is_said(app):
    opened(app, "")
    assert "The text cannot be shown" in app.info[0].value
