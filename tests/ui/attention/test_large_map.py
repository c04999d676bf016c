"""The downloads of a large map; a browser test opens the files."""

import io

import numpy as np

from microgpt import checkpoint
from microgpt.analysis.attention import attention_maps
from microgpt.ui.attention.large_map import _all_heads

TEXT = "ba do\nke"


def buttons(app):
    return [each.proto for each in app.get("download_button")]


def test_a_map_is_offered_as_csv_and_html_and_all_heads_as_npz(open_attention):
    app = open_attention(text=TEXT, layer="2", head="mean")
    labels = [button.label for button in buttons(app)]
    assert labels[:3] == ["CSV", "HTML", "All heads, NPZ"]


def test_two_maps_on_a_page_have_their_own_downloads(open_attention):
    app = open_attention(tab="Compare", text=TEXT)
    found = [button for button in buttons(app) if button.label in ("CSV", "HTML", "All heads, NPZ")]
    assert len(found) == 6 and len({button.id for button in found}) == 6


def test_a_download_makes_no_rerun(open_attention):
    assert all(button.ignore_rerun for button in buttons(open_attention(text=TEXT)))


def test_the_npz_holds_the_maps_of_all_heads(tiny_checkpoint):
    loaded = checkpoint.load(tiny_checkpoint)
    expected = attention_maps(loaded.model, loaded.tokenizer.encode(TEXT)).weights
    with np.load(io.BytesIO(_all_heads(TEXT, loaded)), allow_pickle=False) as file:
        np.testing.assert_array_equal(file["weights"], expected.numpy())
        assert "".join(file["characters"]) == TEXT
        assert file["weights_sha256"].item() == loaded.weights_sha256
