import numpy as np

from microgpt.ui.components.translation.shown import Step, Verdict
from microgpt.ui.cross_attention.tables import output_table
from tests.ui.pages import captions


def test_the_output_table_has_what_each_character_looks_at_most():
    step = Step("24", "24", [0.9, 0.8, 0.7], "23", [1], Verdict("right", ""), {}, [], {})
    cross = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.0, 0.0, 1.0]])
    table = output_table("a b", step, cross)
    assert table["character"].tolist() == ["2", "4", "■"]
    assert table["looks most at"].tolist() == ["␣ (2)", "a (1)", "b (3)"]
    assert table["attention"].tolist() == [0.7, 0.5, 1.0]
    assert table["changed"].tolist() == [False, True, False]


def test_the_page_has_a_table_for_each_map_and_downloads(open_cross):
    app = open_cross(date="1 May", decoder_head="L2 H1")
    output, encoder, decoder, cross, _ = (each.value for each in app.dataframe)
    assert encoder.shape == (5, 6) and cross.shape == (len(output), 6)
    assert decoder.shape == (len(output), len(output) + 1)
    assert np.isnan(decoder.iloc[0, 2]) and decoder.iloc[0, 1] == 1
    assert "Head: L2 H1." in captions(app)
    labels = [each.proto.label for each in app.get("download_button")]
    assert labels == ["output.csv", "maps.csv", "maps.npz", "heads.csv"]
