from microgpt.ui.cache.predictions import text_predictions
from tests.ui.pages import run_script


def score(folder, found):
    """A script that scores a text."""
    from microgpt.checkpoint import load
    from microgpt.ui.cache.predictions import text_predictions

    found.append(text_predictions(load(folder), "ba do"))


def test_sessions_that_score_the_same_text_share_the_result(tiny_checkpoint):
    text_predictions.clear()
    found = []
    for _ in range(2):
        run_script(score, tiny_checkpoint, found)
    assert found[0] is found[1] and len(found[0]) == 4
