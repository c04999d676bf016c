"""The Head scores tab of the Attention page."""

import re

from microgpt import checkpoint
from microgpt.analysis.head_patterns import PATTERNS, short_name
from tests.ui.pages import ATTENTION, captions, charts, open_tab


def test_the_table_shows_the_head_scores_of_the_text(app):
    open_tab(app, ATTENTION, "Head scores")
    app.text_area("text").set_value("ba ke\nba ke").run()
    table = app.dataframe[0].value
    assert len(table) == 6 and table["itself"].between(0, 1).all()
    before = charts(app)
    app.selectbox("head").set_value(2).run()
    assert charts(app) != before
    app.text_area("text").set_value("ba do ba do").run()
    assert not app.exception
    assert app.dataframe[0].value["induction"].tolist() != table["induction"].tolist()
    app.text_area("text").set_value("b").run()
    assert not app.exception and "at least two" in captions(app)


def test_a_sentence_for_each_score_begins_with_the_clearest(open_attention, scored_checkpoint):
    folder = scored_checkpoint(2, 1)
    app = open_attention(folder, "Head scores")
    lines = next(each.value for each in app.markdown if "most in L" in each.value).split("\n")
    scores = checkpoint.load(folder).head_scores
    tables = scores.scores.items()
    above = {name: table.max().item() - scores.uniform[name] for name, table in tables}
    order = sorted(above, key=lambda name: -above[name])
    names = [short_name(name) for name in order if not PATTERNS[name].variant]
    assert [re.match(r"- \*\*([\w -]+)\*\*", line)[1] for line in lines] == names
    table = scores.scores["previous"]
    layer, head = divmod(int(table.argmax()), 3)
    assert (
        f"**previous** (the character before): most in L{layer + 1} H{head + 1}, "
        f"{table.max():.2f}; uniform attention would give {scores.uniform['previous']:.2f}."
    ) in " ".join(lines)


def test_more_scores_are_behind_a_choice(open_attention, scored_checkpoint):
    link = {"scores_from": "this text", "text": "ba do ba do"}
    app = open_attention(scored_checkpoint(2, 1), "Head scores", **link)
    assert not {"induction-2", "entropy (nats)"} & set(app.dataframe[0].value)
    app.toggle("more_scores").set_value(True).run()
    assert {"induction-2", "entropy (nats)"} <= set(app.dataframe[0].value)
    assert any("**induction-2**" in each.value for each in app.markdown)


def test_the_table_shows_the_ablation_of_the_checkpoint(
    open_attention, scored_checkpoint, tiny_checkpoint
):
    app = open_attention(scored_checkpoint(2, 1), "Head scores")
    change = app.dataframe[0].value["loss change (nats per character)"]
    assert change.tolist() == [0, 0, 0, 0.1234, 0, 0]
    assert "over 10 positions of the validation split" in captions(app)
    app.segmented_control("scores_from").set_value("this text").run()
    assert app.dataframe[0].value["loss change (nats per character)"].tolist() == change.tolist()
    app = open_attention(tiny_checkpoint, "Head scores")
    assert "loss change (nats per character)" not in app.dataframe[0].value
