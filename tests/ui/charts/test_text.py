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
