import pytest
import torch

from microgpt.analysis.explanation import Explanation


def terms(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_the_largest_terms_come_first_and_the_rest_is_what_they_leave():
    found = Explanation(3.5, terms(1.0, -3.0, 2.0, 0.5), constant=3.0)
    assert found.largest(2) == [1, 2]
    assert found.rest(2) == 1.5 and found.total == found.result == 3.5


@pytest.mark.parametrize(
    ("then", "result"), [("", -4.0), ("relu", 0.0), ("root", 0.0), ("share", 0.5)]
)
def test_the_result_is_what_the_model_does_with_the_sum(then, result):
    assert Explanation(result, terms(-2.0, 1.0), terms(1.0, -2.0), then=then).result == result


def test_the_products_are_scaled():
    found = Explanation(3.0, terms(2.0, 4.0), terms(1.0, 1.0), scale=0.5)
    assert found.terms.tolist() == [1.0, 2.0] and found.result == 3.0
