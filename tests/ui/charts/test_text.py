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
    assert [name.removeprefix("<br>") for name in figure.layout.xaxis.ticktext] == ["␣", "⏎", "a"]
    assert len(text_charts.distribution(before, after, ["a", "␣", "⏎"]).data) == 2


def test_a_distribution_of_a_large_vocabulary_has_the_likeliest_and_the_actual_character():
    before = np.linspace(1, 0, 4096) / 2048
    labels = [chr(0x4E00 + i) for i in range(4096)]
    others, actual, dashes = text_charts.distribution(before, before, labels, actual=3000).data
    assert list(dashes.customdata) == [*labels[:128], labels[3000]]
    assert len(others.x) == 128 and list(actual.x) == [129]
    assert "128 likeliest characters, the table all 4,096" in text_charts.bars_shown(4096)
    assert text_charts.bars_shown(65) == ""


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
