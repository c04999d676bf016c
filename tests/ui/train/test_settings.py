"""The settings of a run and what they make of a size."""

from dataclasses import replace

import pytest

from microgpt.training.sizes import SIZES
from tests.ui.pages import captions, run_script

TEXT = "ba do\nke li\n" * 500


def page(name, text):
    import streamlit as st

    from microgpt.analysis.corpus import describe
    from microgpt.training.sizes import SIZES
    from microgpt.ui.train.settings import recipe_controls

    st.session_state["recipe"] = recipe_controls(SIZES[name], describe(text))


def recipe_of(app):
    return app.session_state["recipe"]


@pytest.mark.parametrize("name", list(SIZES))
def test_a_size_is_trained_as_it_is(name):
    recipe = recipe_of(run_script(page, name, TEXT))
    size = SIZES[name]
    assert recipe.model == replace(size.model, vocab_size=10)
    assert (recipe.train, recipe.preset) == (size.train, size.preset)


def test_settings_change_the_recipe_and_its_name():
    app = run_script(page, "tiny", TEXT)
    app.selectbox("train_context_3").select(16)
    app.number_input("train_layers_3").set_value(2)
    app.selectbox("train_heads_3").select(2)
    app.number_input("train_steps_3").set_value(200)
    app.selectbox("train_rate_3").select("three times")
    app.selectbox("train_dropout_3").select(0.2)
    app.run()
    recipe, tiny = recipe_of(app), SIZES["tiny"]
    model = recipe.model
    assert (model.block_size, model.n_layer, model.n_head, model.dropout) == (16, 2, 2, 0.2)
    assert (recipe.train.steps, recipe.train.eval_interval, recipe.preset) == (200, 5, "none")
    assert recipe.train.learning_rate == pytest.approx(3 * tiny.train.learning_rate)
    assert recipe.train.muon_learning_rate == pytest.approx(3 * tiny.train.muon_learning_rate)


def test_each_setting_is_explained():
    app = run_script(page, "tiny", TEXT)
    controls = [*app.selectbox, *app.number_input]
    assert len(controls) == len(app.caption) == 6
    assert "look back" in captions(app)


def test_only_context_lengths_that_the_text_allows_are_offered():
    app = run_script(page, "tiny", TEXT[:300])
    assert app.selectbox("train_context_3").options == ["1", "2", "4", "8", "16"]
    assert recipe_of(app).model.block_size == 16


def test_each_size_has_its_own_settings():
    def both():
        import streamlit as st

        from microgpt.analysis.corpus import describe
        from microgpt.training.sizes import SIZES
        from microgpt.ui.train.settings import recipe_controls

        size = SIZES[st.selectbox("Size", list(SIZES), key="size")]
        st.session_state["recipe"] = recipe_controls(size, describe("ba do\n" * 500))

    app = run_script(both)
    app.selectbox("size").select("tiny").run()
    assert recipe_of(app).model.block_size == SIZES["tiny"].model.block_size
    app.number_input("train_layers_3").set_value(2).run()
    app.selectbox("size").select("small").run()
    assert recipe_of(app).model.block_size == SIZES["small"].model.block_size
    assert recipe_of(app).model.n_layer == SIZES["small"].model.n_layer


def test_rare_characters_are_replaced_as_the_text_needs():
    rare = "".join(map(chr, range(0x4E00, 0x4E00 + 200)))
    assert recipe_of(run_script(page, "tiny", TEXT + rare)).train.rare == 5
    assert recipe_of(run_script(page, "tiny", TEXT + rare)).preset == SIZES["tiny"].preset
