import pytest
import torch
import torch.nn.functional as F

from microgpt.analysis.exact_match import (
    evaluate_pairs,
    exact_matches,
    held_out_phrases,
    is_exact,
    pair_loss,
)
from microgpt.dates import read
from microgpt.pairs import START, encode_pairs
from microgpt.translate import translate_all
from tests.pair_models import TOKENIZER, random_pair_model

TEXTS = ["1 May 2034", "2 May 2034", "3.7.1999", "7 July 2010", "11 May 2012"]
PHRASES = [read(text) for text in TEXTS]
LINES = "".join(f"{phrase.text}\t{phrase.iso}\n" for phrase in PHRASES)


def test_matches_are_counted_as_a_whole_and_by_field():
    assert is_exact("2034-05-01", "2034-05-01") == [True, True, True, True]
    assert is_exact("2034-05-02", "2034-05-01") == [False, True, True, False]
    assert is_exact("2035-05-01", "2034-05-01") == [False, False, True, True]
    assert is_exact("2034-05-017", "2034-05-01") == [False, True, True, True]
    assert is_exact("", "2034-05-01") == [False] * 4


def test_the_shares_are_those_of_the_translations():
    model = random_pair_model(1)
    outputs = translate_all(model, TOKENIZER, TEXTS)
    outputs[:2] = PHRASES[0].iso, "2034-06-02"  # what another model might write
    expected = torch.tensor(
        [is_exact(output, phrase.iso) for output, phrase in zip(outputs, PHRASES, strict=True)]
    )
    assert expected.sum(dim=0).tolist()[:3] == [1, 2, 1]
    always = random_pair_model(1)
    always.head.weight.zero_()
    found = exact_matches(always, TOKENIZER, PHRASES)
    written = translate_all(always, TOKENIZER, TEXTS)
    rows = [is_exact(output, phrase.iso) for output, phrase in zip(written, PHRASES, strict=True)]
    torch.testing.assert_close(found, torch.tensor(rows).float().mean(dim=0))


def test_a_phrase_counts_once():
    pairs = encode_pairs(TOKENIZER, LINES + LINES)
    assert held_out_phrases(TOKENIZER, pairs) == PHRASES
    assert held_out_phrases(TOKENIZER, pairs, 2) == PHRASES[:2]


def test_the_loss_is_the_mean_over_the_characters_of_all_targets():
    model = random_pair_model(2)
    losses = []
    for phrase in PHRASES:
        source = torch.tensor([TOKENIZER.encode(phrase.text)])
        ids = TOKENIZER.encode(f"{START}{phrase.iso}\n")
        logits = model(source, torch.tensor([ids[:-1]]))[0]
        losses += F.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none").tolist()
    pairs = encode_pairs(TOKENIZER, LINES)
    assert pair_loss(model, pairs) == pytest.approx(sum(losses) / len(losses), abs=1e-5)


def test_evaluate_gives_the_shares_and_the_loss():
    model, pairs = random_pair_model(2), encode_pairs(TOKENIZER, LINES)
    exact, year, month, day = exact_matches(model, TOKENIZER, PHRASES).tolist()
    assert evaluate_pairs(model, TOKENIZER, pairs) == {
        "parameters": model.parameter_count(),
        "phrases": len(PHRASES),
        "exact_match": pytest.approx(exact, abs=1e-4),
        "exact_year": pytest.approx(year, abs=1e-4),
        "exact_month": pytest.approx(month, abs=1e-4),
        "exact_day": pytest.approx(day, abs=1e-4),
        "val_loss_full": pytest.approx(pair_loss(model, pairs), abs=1e-4),
    }
