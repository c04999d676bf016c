"""What the translation component shows at a step of the training."""

from tests.ui.components.translation.steps import step


def test_the_signs_of_what_is_written_and_read_belong_to_the_same_rows():
    done = step("20 4")
    assert done.written == done.rows == ["2", "0", "␣", "4", "■"]
    assert done.read == ["▷", "2", "0", "␣", "4"]
    cut = step("20 4", length=4)  # the model did not end
    assert cut.written == ["2", "0", "␣", "4"] and cut.read == ["▷", "2", "0", "␣"]
    assert step("", length=1).read == ["▷"]


def test_an_output_that_differs_from_the_target_has_its_own_signs():
    early, late = step("20", target="2024"), step("20249", target="2024")
    assert early.written == ["2", "0", "■", "·", "·"] and late.written == list("20249")
    assert early.rows == late.rows == ["2", "0", "2", "4", "■"]
