from microgpt.ui.components.vocabulary.vocabulary import MAX_SHOWN
from tests.ui.pages import component, run_script


def page(text):
    from microgpt.analysis.corpus import describe
    from microgpt.ui.components.vocabulary.vocabulary import vocabulary

    vocabulary("vocabulary", describe(text))


def data_of(text):
    return component(run_script(page, text))


def test_characters_are_shown_by_their_count_and_with_signs():
    data = data_of("b\na a" * 100)
    assert (data["labels"], data["counts"]) == (["a", "⏎", "␣", "b"], [200, 100, 100, 100])
    assert (data["train"], data["val"], data["more"], data["size"]) == (450, 50, 0, 4)


def test_a_large_vocabulary_is_shown_in_part():
    data = data_of("".join(map(chr, range(0x4E00, 0x4E00 + MAX_SHOWN + 7))) * 10)
    assert len(data["labels"]) == MAX_SHOWN and data["more"] == 7
