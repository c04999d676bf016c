"""The All heads tab of the Attention page."""

import io

import numpy as np
import torch
from PIL import Image

from microgpt import checkpoint
from microgpt.analysis.attention import attention_maps
from microgpt.analysis.head_scores import MIN_LABEL_SCORE
from microgpt.analysis.heads import text_scores
from microgpt.config import GPTConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.charts import attention as attention_charts
from tests.ui.pages import captions, component, grid_image, map_title

TEXT = "ba do ba do"


def pixels(image: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(image)))


def test_the_grid_shows_every_head_and_the_means(open_attention, tiny_checkpoint):
    app = open_attention(tiny_checkpoint, text=TEXT, head="mean")
    loaded = checkpoint.load(tiny_checkpoint)
    weights = attention_maps(loaded.model, loaded.tokenizer.encode(TEXT)).weights
    image = pixels(grid_image(app))
    size = len(TEXT)
    assert image.shape == (3 * size, 4 * size)

    def cell(row, column):
        return image[row * size : (row + 1) * size, column * size : (column + 1) * size]

    def expected(weights):
        return pixels(attention_charts.attention_overview(weights[None, None].numpy()))

    for layer in range(2):
        for column, each in enumerate([*weights[layer], weights[layer].mean(dim=0)]):
            np.testing.assert_array_equal(cell(layer, column), expected(each))
    np.testing.assert_array_equal(cell(2, 3), expected(weights.mean(dim=(0, 1))))
    np.testing.assert_array_equal(cell(2, 0), expected(torch.zeros(size, size)))


def test_the_mean_of_one_head_is_the_head(open_attention, use_model, tokenizer):
    config = GPTConfig(tokenizer.vocab_size, block_size=16, n_layer=1, n_head=1, n_embd=8)
    app = open_attention(use_model(config, tokenizer))
    image = pixels(grid_image(app))
    head, mean = np.hsplit(image[: len(image) // 2], 2)
    np.testing.assert_array_equal(head, mean)
    app.selectbox("layer").set_value("mean").run()
    assert not app.exception and map_title(app) == "Mean of all heads"


def badges(app):
    """The badges of the heads on the page, row by row."""
    return component(app)["badges"]


def expected_badges(scores):
    rows = [[scores.highest(layer, head) for head in range(3)] for layer in range(2)]
    return [
        [
            {"name": each.name, "score": round(each.score, 4), "strong": each.score >= 0.3}
            for each in row
        ]
        for row in rows
    ]


def scores_on(folder, text):
    """The head scores of a checkpoint for a text."""
    loaded = checkpoint.load(folder)
    ids = loaded.tokenizer.encode(text)
    return text_scores(attention_maps(loaded.model, ids).weights, ids, loaded.tokenizer)


def test_badges_come_from_the_checkpoint_or_from_the_text(open_attention, scored_checkpoint):
    folder = scored_checkpoint(1, 1)
    app = open_attention(folder, text=TEXT)
    on_split = expected_badges(checkpoint.load(folder).head_scores)
    assert badges(app) == on_split
    strong = [badge["strong"] for row in on_split for badge in row]
    assert any(strong) and not all(strong)
    assert f"faint below {MIN_LABEL_SCORE:g}" in captions(app)
    app.segmented_control("scores_from").set_value("this text").run()
    on_text = expected_badges(scores_on(folder, TEXT))
    assert not app.exception and badges(app) == on_text != on_split
    app.text_area("text").set_value("mumumumu").run()
    assert badges(app) == expected_badges(scores_on(folder, "mumumumu")) != on_text
    app.text_area("text").set_value("b").run()
    assert not app.exception and not any(badge for row in badges(app) for badge in row)
    assert "Type at least two characters. The first one can only attend to itself." in captions(app)


def test_a_link_selects_the_source_of_the_badges(open_attention, scored_checkpoint):
    folder = scored_checkpoint(1, 1)
    app = open_attention(folder, text=TEXT, scores_from="this text")
    assert badges(app) == expected_badges(scores_on(folder, TEXT))


def test_without_head_scores_the_badges_come_from_the_text(open_attention, tiny_checkpoint):
    app = open_attention(tiny_checkpoint, text=TEXT)
    assert badges(app) == expected_badges(scores_on(tiny_checkpoint, TEXT))
    assert "scores_from" not in [control.key for control in app.segmented_control]


def test_a_text_with_too_large_maps_is_cut_with_a_note(open_attention, use_model):
    config = GPTConfig(vocab_size=2, block_size=256, n_layer=16, n_head=16, n_embd=16)
    app = open_attention(use_model(config, CharTokenizer("ab")), text="ab" * 128)
    assert "last 128 characters" in captions(app)
