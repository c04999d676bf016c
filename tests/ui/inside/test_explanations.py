"""The words of the explanations."""

import pytest

from microgpt.analysis.explain import EXPLAINED, Source, explain
from microgpt.analysis.explanation import Number
from microgpt.analysis.position import position_at
from microgpt.analysis.residuals import residual_stream
from microgpt.ui.inside.explanations import LISTED, Words

TEXT = "ba do ke"
AT = 5


@pytest.fixture
def told(model_variant, tokenizer):
    """Explain a number of the model in words."""
    ids = tokenizer.encode(TEXT)
    stream = residual_stream(model_variant, ids)
    source = Source(model_variant, stream, AT, position_at(model_variant, ids, stream, AT))
    words = Words(model_variant.config, TEXT, AT, tokenizer.characters)

    def tell(*number):
        found = Number(*number)
        return words.explained(found, explain(source, found))

    return tell


@pytest.mark.parametrize("kind", EXPLAINED)
def test_the_listed_terms_and_the_rest_sum_to_the_total(told, kind):
    found = told(kind, 1)
    rest = found["rest"][1] if found["rest"] else 0
    listed = sum(product for *_, product in found["terms"])
    assert listed + rest + (found["constant"] or 0) == pytest.approx(found["total"], abs=1e-6)
    assert found["title"] and found["formula"]
    assert len(found["terms"]) <= LISTED + 1
    assert all(label and isinstance(label, str) for label, *_ in found["terms"])


@pytest.mark.parametrize(
    ("number", "title", "first"),
    [
        (("logit", 0, 0, 3), "Logit of “", "channel "),
        (("score", 1, 0, 2), "Score of ␣ (6) for ␣ (3), H1 in layer 2", "channel "),
        (("weight", 1, 0, 2), "Attention of ␣ (6) to ␣ (3), H1 in layer 2", ""),
        (("computed", 0, 0, 4), "Channel 5 of what the MLP of layer 1 adds", "neuron "),
        (("attended", 0, 0, 4), "Channel 5 of what the attention of layer 1 adds", "H"),
        (("length", 0, 0, 2), "Length of the stream after layer 1", "channel "),
    ],
    ids=str,
)
def test_titles_and_terms_count_from_1(told, number, title, first):
    found = told(*number)
    assert found["title"].startswith(title)
    assert found["terms"][0][0].startswith(first)


def test_the_largest_term_is_listed_first(told):
    products = [abs(product) for *_, product in told("logit", 0, 0, 3)["terms"]]
    assert products == sorted(products, reverse=True)
