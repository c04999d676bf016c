import pytest
import torch

from microgpt.analysis.context_length import context_lengths, surprisal_by_context


@pytest.mark.parametrize(
    ("longest", "lengths"),
    [(1, [1]), (2, [1, 2]), (5, [1, 2, 4, 5]), (8, [1, 2, 4, 8]), (256, [2**i for i in range(9)])],
)
def test_context_lengths_double_up_to_the_longest(longest, lengths):
    assert context_lengths(longest) == lengths


def test_each_prediction_sees_exactly_its_context(model, tokenizer, corpus):
    ids = tokenizer.encode(corpus[:30])
    calls = []
    surprisals = surprisal_by_context(model, ids, 4, [1, 3, 16], lambda *call: calls.append(call))
    assert surprisals.shape == (3, 4)
    assert calls == [(1, 3), (2, 3), (3, 3)]
    for row, n in zip(surprisals, (1, 3, 16), strict=True):
        for surprisal, at in zip(row, range(26, 30), strict=True):
            logits = model(torch.tensor([ids[at - n : at]]))[0, -1]
            assert surprisal.item() == pytest.approx(
                -logits.log_softmax(-1)[ids[at]].item(), abs=1e-5
            )


@pytest.mark.parametrize("lengths", [[0], [17], [1, 20]])
def test_a_context_beyond_the_window_or_the_text_is_refused(model, tokenizer, corpus, lengths):
    with pytest.raises(ValueError, match="fit the window and the text"):
        surprisal_by_context(model, tokenizer.encode(corpus[:20]), 4, lengths)
