import numpy as np

from microgpt.ui.charts import text as text_charts


def test_a_distribution_is_sorted_by_probability():
    before, after = np.array([0.2, 0.5, 0.3]), np.array([0.0, 0.7, 0.3])
    figure = text_charts.distribution(before, after, ["a", "␣", "⏎"], actual=2)
    others, actual, dashes = figure.data
    assert list(dashes.y) == [0.5, 0.3, 0.2]
    assert list(others.customdata) == ["␣", "a"] and list(others.y) == [0.7, 0.0]
    assert list(actual.customdata) == ["⏎"] and list(actual.y) == [0.3]
    assert others.marker.color != actual.marker.color
    assert list(figure.layout.xaxis.ticktext) == ["␣", "⏎", "a"]
    assert len(text_charts.distribution(before, after, ["a", "␣", "⏎"]).data) == 2
    [alone] = text_charts.distribution(before, None, ["a", "␣", "⏎"]).data
    assert list(alone.y) == [0.5, 0.3, 0.2] and alone.name == "model"


def test_a_distribution_has_the_likeliest_and_the_actual_character_and_the_sum_of_the_others():
    before = np.linspace(1, 0, 65) / 32.5
    after = before[::-1]
    labels = [chr(0x4E00 + i) for i in range(65)]
    bars, actual, dashes = text_charts.distribution(before, after, labels, actual=40).data
    assert list(dashes.customdata) == [*labels[:15], labels[40], "49 others"]
    assert list(actual.x) == [16] and list(bars.x) == [*range(1, 16), 17]
    others = [i for i in range(15, 65) if i != 40]
    np.testing.assert_allclose(bars.y[-1], after[others].sum())
    np.testing.assert_allclose(dashes.y[-1], before[others].sum())
    assert "sum of all other characters" in text_charts.bars_shown(65)


def test_no_bar_stands_for_one_other_character():
    sixteen = np.full(16, 1 / 16)
    bars, _ = text_charts.distribution(sixteen, sixteen, list("abcdefghijklmnop")).data
    assert list(bars.customdata) == list("abcdefghijklmnop")
    assert text_charts.bars_shown(16) == ""


def test_long_labels_are_in_two_rows():
    even = np.full(20, 1 / 20)
    labels = ["a", "⟨0301⟩", *"bcdefghijklmnopqrs"]
    ticks = text_charts.distribution(even, even, labels).layout.xaxis.ticktext
    assert ticks[:3] == ("a", "<br>⟨0301⟩", "b") and ticks[-1] == "<br><br>5 others"


def test_the_charts_and_the_table_of_context_lengths():
    surprisal = -np.log(np.array([[0.1, 0.5], [0.2, 1.0]]))
    figure = text_charts.loss_by_context([1, 8], surprisal.mean(axis=1), {"bigram": 2.5})
    assert list(figure.data[0].x) == [1, 8]
    assert "bigram, 2.50" in figure.layout.annotations[0].text
    heatmap = text_charts.probability_by_context([1, 8], surprisal, "a\n").data[0]
    np.testing.assert_allclose(heatmap.z, [[0.1, 0.5], [0.2, 1.0]])
    table = text_charts.context_table([1, 8], surprisal, "a\n")
    assert list(table.columns) == ["character", "after 1", "after 8"]
    assert table.iloc[1].tolist() == ["⏎", 0.5, 1.0]
