"""The tab with every head."""

import io

import numpy as np
import torch
from PIL import Image

from microgpt import checkpoint
from microgpt.analysis.attention import attention_maps
from microgpt.analysis.head_scores import MIN_LABEL_SCORE
from microgpt.analysis.heads import text_scores
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.charts import attention as attention_charts
from tests.ui.shown import PAGES, captions, component, overview, title

TEXT = "ba do ba do"


def test_the_grid_shows_every_head_and_the_means(opened, tiny_checkpoint):
    app = opened(tiny_checkpoint, text=TEXT, head="mean")
    loaded = checkpoint.load(tiny_checkpoint)
    weights = attention_maps(loaded.model, loaded.tokenizer.encode(TEXT)).weights
    image = np.asarray(Image.open(io.BytesIO(overview(app))))
    size = len(TEXT)
    assert image.shape == (3 * size, 4 * size)

    def shown(row, column):
        return image[row * size : (row + 1) * size, column * size : (column + 1) * size]

    def levels(weights):
        alone = Image.open(
            io.BytesIO(attention_charts.attention_overview(weights[None, None].numpy()))
        )
        return np.asarray(alone)

    for layer in range(2):
        for column, each in enumerate([*weights[layer], weights[layer].mean(dim=0)]):
            np.testing.assert_array_equal(shown(layer, column), levels(each))
    np.testing.assert_array_equal(shown(2, 3), levels(weights.mean(dim=(0, 1))))
    np.testing.assert_array_equal(shown(2, 0), levels(torch.zeros(size, size)))


def test_the_mean_of_one_head_is_the_head(opened, tmp_path, tokenizer, loss_record, training):
    config = GPTConfig(tokenizer.vocab_size, block_size=16, n_layer=1, n_head=1, n_embd=8)
    torch.manual_seed(0)
    checkpoint.save(tmp_path / "one", Checkpoint(GPT(config), tokenizer, loss_record, training))
    app = opened(tmp_path / "one")
    picture = np.asarray(Image.open(io.BytesIO(overview(app))))
    one, mean = np.hsplit(picture[: len(picture) // 2], 2)
    np.testing.assert_array_equal(one, mean)
    app.selectbox("layer").set_value("mean").run()
    assert not app.exception and title(app) == "Mean of all heads"


def labels(app):
    return component(app)["labels"]


def labels_of(scores):
    found = [[scores.label(layer, head) for head in range(3)] for layer in range(2)]
    return [[f"{label.name} {label.score:.2f}" if label else "" for label in row] for row in found]


def scores_on(folder, text):
    loaded = checkpoint.load(folder)
    ids = loaded.tokenizer.encode(text)
    return text_scores(attention_maps(loaded.model, ids).weights, ids, loaded.tokenizer)


def test_labels_come_from_the_checkpoint_or_from_the_text(opened, scored_checkpoint):
    folder = scored_checkpoint(1, 1)
    app = opened(folder, text=TEXT)
    kept = labels_of(checkpoint.load(folder).head_scores)
    assert labels(app) == kept
    assert f"at least {MIN_LABEL_SCORE:.0%} of its attention" in captions(app)
    app.segmented_control("scores_from").set_value("this text").run()
    on_text = labels_of(scores_on(folder, TEXT))
    assert not app.exception and labels(app) == on_text != kept
    app.text_area("text").set_value("mumumumu").run()
    assert labels(app) == labels_of(scores_on(folder, "mumumumu")) != on_text
    app.text_area("text").set_value("b").run()
    assert not app.exception and not any(label for row in labels(app) for label in row)
    assert "Type at least two characters to get labels" in captions(app)


def test_a_link_selects_the_source_of_the_labels(opened, scored_checkpoint):
    folder = scored_checkpoint(1, 1)
    app = opened(folder, text=TEXT, scores_from="this text")
    assert labels(app) == labels_of(scores_on(folder, TEXT))


def test_without_head_scores_the_labels_come_from_the_text(opened, tiny_checkpoint):
    app = opened(tiny_checkpoint, text=TEXT)
    assert labels(app) == labels_of(scores_on(tiny_checkpoint, TEXT))
    assert "scores_from" not in [control.key for control in app.segmented_control]


def test_a_text_with_too_large_maps_is_cut_with_a_note(
    app, monkeypatch, tmp_path, loss_record, training
):
    config = GPTConfig(vocab_size=2, block_size=256, n_layer=16, n_head=16, n_embd=16)
    torch.manual_seed(0)
    checkpoint.save(
        tmp_path / "deep", Checkpoint(GPT(config), CharTokenizer("ab"), loss_record, training)
    )
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tmp_path / "deep"))
    app.run()
    app.switch_page(PAGES[1]).run()
    app.text_area("text").set_value("ab" * 128).run()
    assert not app.exception
    assert any("last 128 characters" in caption.value for caption in app.caption)
