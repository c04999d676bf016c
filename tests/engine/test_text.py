import pytest

from microgpt.engine import KEPT, Text
from microgpt.sampling import SamplingConfig

WINDOW = 16


def append(text: Text, count: int) -> list[tuple[bool, list[int]]]:
    """Append the ids 100, 101, … one at a time; return the input before each of them."""
    inputs = []
    for token in range(100, 100 + count):
        inputs.append(text.next_input())
        text.ids.append(token)
    return inputs


def test_after_the_prompt_each_input_is_the_last_id():
    text = Text([1, 2, 3], SamplingConfig(), WINDOW)
    assert append(text, 3) == [(True, [1, 2, 3]), (False, [100]), (False, [101])]


def test_a_prompt_longer_than_the_window_is_cut_to_its_end():
    text = Text(list(range(20)), SamplingConfig(), WINDOW)
    assert text.next_input() == (True, list(range(4, 20)))


@pytest.mark.parametrize(("exact", "kept"), [(False, int(KEPT * WINDOW)), (True, WINDOW)])
def test_in_a_full_window_the_last_part_is_read_again(exact, kept):
    prompt = list(range(WINDOW))
    text = Text(prompt, SamplingConfig(exact=exact), WINDOW)
    first, second, third = append(text, 3)
    assert first == (True, prompt)
    assert second == (True, [*prompt, 100][-kept:])
    assert third == ((True, [*prompt, 100, 101][-kept:]) if exact else (False, [101]))


def test_a_text_reports_when_its_window_is_full():
    text = Text([0] * (WINDOW - 1), SamplingConfig(), WINDOW)
    full = []
    for _ in range(3):
        append(text, 1)
        full.append(text.fills_window)
    assert full == [False, True, False]


def test_the_ids_of_the_prompt_are_not_changed():
    prompt = [1, 2, 3]
    append(Text(prompt, SamplingConfig(), WINDOW), 2)
    assert prompt == [1, 2, 3]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("prompt", [1, 5, WINDOW, 20])
def test_a_text_that_goes_on_reads_what_the_cache_of_the_earlier_one_held(prompt, exact):
    config = SamplingConfig(exact=exact, seed=7)
    text = Text(list(range(prompt)), config, WINDOW)
    held = []
    for drawn in range(3 * WINDOW):
        after = Text(text.ids, config, WINDOW, drawn)
        clear, new = text.next_input()
        held = new if clear else held + new
        assert after.next_input() == (True, held)
        assert after.uniforms.draw() == text.uniforms.draw()
        text.ids.append(100 + drawn)
