"""The sentences of the life of a head that need a small model."""

import dataclasses

from microgpt import checkpoint
from microgpt.config import GPTConfig
from microgpt.ui.attention.life_sentences import names_of
from tests.ui.pages import ATTENTION, captions, component, new_app, open_page, open_tab


def test_heads_are_named_if_they_are_few():
    assert names_of([(1, 2)]) == "L2 H3" and names_of([(1, 2), (0, 0)]) == "L1 H1 and L2 H3"
    assert names_of([(0, 0), (0, 1), (1, 0)]) == "these 3 heads"


def test_a_model_of_one_character_says_why_it_has_no_slider_and_no_scores(
    checkpoint_with_history, tmp_path, monkeypatch
):
    made = checkpoint.load(checkpoint_with_history)
    shape = GPTConfig(**made.config.to_dict() | {"block_size": 1})
    model = type(made.model)(shape).eval()
    changes = {"model": model, "head_scores": None, "snapshot_scores": None}
    checkpoint.save(tmp_path / "bigram", dataclasses.replace(made, **changes))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tmp_path / "bigram"))
    app = open_page(new_app(), ATTENTION)
    assert "cannot read the passage of its snapshots" in component(app)["note"]
    for tab in ("All heads", "Head scores"):
        open_tab(app, ATTENTION, tab)
        assert "reads one character at a time, which can only attend to itself" in captions(app)
