import pytest
import torch

from microgpt.analysis.context_length import (
    TARGETS,
    ContextLosses,
    ContextLossesError,
    context_lengths,
    context_losses,
    surprisal_by_context,
)


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


def test_losses_by_context_length_are_read_as_they_were_written(model, tokenizer, corpus):
    ids = tokenizer.encode(corpus[: TARGETS + 30])
    measured = context_losses(model, ids)
    assert measured.lengths == [1, 2, 4, 8, 16] and measured.surprisal.shape == (5, TARGETS)
    expected = surprisal_by_context(model, ids, TARGETS, measured.lengths)
    sizes = model.config.vocab_size, model.config.block_size
    again = ContextLosses.from_json(measured.to_json(), *sizes)
    assert again.ids == ids and again.lengths == measured.lengths
    torch.testing.assert_close(again.surprisal, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("ids", "lengths", "surprisal"),
    [
        ([0, 1, 2, 3], [1, 2], torch.ones(3, 2)),
        ([0, 1, 2, 3], [2, 1], torch.ones(2, 2)),
        ([0, 1, 2, 3], [0, 2], torch.ones(2, 2)),
        ([0, 1, 2, 3], [1, 3], torch.ones(2, 2)),
        ([0, 1, 2, 99], [1, 2], torch.ones(2, 2)),
        ([0, 1, 2, 3], [1, 2], torch.full((2, 2), torch.inf)),
        (list(range(20)), [1, 17], torch.ones(2, 2)),
        ([], [], torch.ones(0, 0)),
    ],
)
def test_losses_by_context_length_that_do_not_fit_are_refused(ids, lengths, surprisal):
    with pytest.raises(ContextLossesError):
        ContextLosses.from_json(ContextLosses(ids, lengths, surprisal).to_json(), 28, 16)
