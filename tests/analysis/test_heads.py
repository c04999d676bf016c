import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from microgpt.analysis.attention import attention_maps
from microgpt.analysis.head_patterns import PATTERNS, short_name, texts
from microgpt.analysis.head_scores import HeadScores
from microgpt.analysis.heads import (
    CLASSES,
    REPEATED_TEXTS,
    attention_by_class,
    attention_by_distance,
    class_of,
    head_scores,
    repeated_scores,
    text_scores,
)
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer

TEXT = "aba\n\nb a"
#      0a 1b 2a 3⏎ 4⏎ 5b 6␣ 7a
LETTERS = CharTokenizer("\n ab")
# The keys of each query from the second on, by pattern.
KEYS = {
    "previous": [[0], [1], [2], [3], [4], [5], [6]],
    "previous-2": [[], [0], [1], [2], [3], [4], [5]],
    "first": [[0]] * 7,
    "itself": [[1], [2], [3], [4], [5], [6], [7]],
    "same": [[], [0], [], [3], [1], [], [0, 2]],
    "induction": [[], [1], [], [4], [2], [], [3]],
    "newline": [[], [], [3], [3, 4], [3, 4], [3, 4], [3, 4]],
    "space": [[], [], [], [], [], [6], [6]],
    "speaker": [[0], [0], [0], [0], [0, 5], [0, 5], [0, 5]],
}


def uniform(size: int) -> Tensor:
    """Uniform attention, (T, T)."""
    return torch.ones(size, size).tril() / torch.arange(1, size + 1)[:, None]


def attention_to(keys: list[list[int]]) -> Tensor:
    """Uniform attention to the given keys of each query, (T, T).

    The first query, and a query without keys, attend to the first position.
    """
    weights = torch.zeros(len(keys) + 1, len(keys) + 1)
    for query, selected in enumerate([[0], *keys]):
        weights[query, selected or [0]] = 1 / max(len(selected), 1)
    return weights


def scores_of(weights: Tensor, text: str = TEXT, tokenizer: CharTokenizer = LETTERS) -> HeadScores:
    """The scores of one map (T, T), or of maps (L, H, T, T)."""
    maps = weights if weights.dim() == 4 else weights[None, None]
    return text_scores(maps, tokenizer.encode(text), tokenizer)


@pytest.mark.parametrize("name", KEYS)
def test_a_head_that_matches_a_pattern_scores_1(name):
    scores = scores_of(attention_to(KEYS[name]))
    assert scores.scores[name].tolist() == [[pytest.approx(1)]]
    assert scores.counts[name] == sum(bool(keys) for keys in KEYS[name])
    assert scores.positions == 7


@pytest.mark.parametrize("name", KEYS)
def test_every_score_equals_a_computation_by_hand(name):
    weights = attention_to(KEYS[name])
    scores = scores_of(weights)
    for other, keys in KEYS.items():
        shares = [
            weights[query, selected].sum() for query, selected in enumerate(keys, 1) if selected
        ]
        assert scores.scores[other].item() == pytest.approx(sum(shares) / len(shares)), other


def test_the_scores_of_uniform_attention_are_known():
    scores = scores_of(uniform(8))
    for name, keys in KEYS.items():
        shares = [len(selected) / (query + 1) for query, selected in enumerate(keys, 1) if selected]
        assert scores.scores[name].item() == pytest.approx(sum(shares) / len(shares)), name
        assert scores.uniform[name] == pytest.approx(sum(shares) / len(shares)), name
    entropy = sum(math.log(n) for n in range(2, 9)) / 7
    assert scores.entropy.item() == pytest.approx(entropy)
    assert scores.distance.item() == pytest.approx(sum(n / 2 for n in range(1, 8)) / 7)


def test_the_name_of_a_small_label_has_no_more_letters_than_previous():
    labels = [name for name, pattern in PATTERNS.items() if not pattern.variant]
    short = {short_name(name) for name in labels}
    assert len(short) == len(labels) and max(map(len, short - {"induction"})) == len("previous")


def test_attention_to_one_key_has_no_entropy():
    for name, distance in (("itself", 0), ("previous", 1), ("first", 4)):
        scores = scores_of(attention_to(KEYS[name]))
        assert (scores.entropy.item(), scores.distance.item()) == (0, pytest.approx(distance))


def test_every_head_has_its_own_scores():
    names = ["previous", "same", "itself"]
    maps = torch.stack([attention_to(KEYS[name]) for name in names] * 2)
    scores = scores_of(maps.view(2, 3, 8, 8))
    for layer in range(2):
        assert [scores.label(layer, head).name for head in range(3)] == names


def test_a_score_without_matching_keys_is_left_out():
    scores = scores_of(uniform(3), "aba")
    assert scores.counts["newline"] == scores.counts["space"] == 0
    found = set(KEYS) - {"newline", "space"}
    assert set(scores.scores) == set(scores.uniform) == found
    scores = scores_of(uniform(3), "aba", CharTokenizer("ab"))
    assert set(scores.scores) == found


@pytest.mark.parametrize("size", [0, 1])
def test_a_text_of_fewer_than_two_characters_has_no_scores(size):
    weights, ids = torch.ones(1, 1, size, size), [1] * size
    with pytest.raises(ValueError, match="at least two characters"):
        text_scores(weights, ids, LETTERS)
    with pytest.raises(ValueError, match="at least two characters"):
        attention_by_class(weights, ids, LETTERS)
    with pytest.raises(ValueError, match="at least two characters"):
        attention_by_distance(weights)


@pytest.mark.parametrize(
    ("characters", "name"),
    [
        ("aeiouéüå", "vowel"),
        ("bcxyzñç", "consonant"),
        ("AZÉЖ", "capital"),
        (" ", "space"),
        ("\n", "newline"),
        (".,;:!?'-&$3\tж漢", "punctuation or other"),
    ],
)
def test_every_character_has_a_class(characters, name):
    assert {class_of(character) for character in characters} == {name}


def test_attention_by_class_equals_a_computation_by_hand():
    ids = LETTERS.encode(TEXT)
    shares = attention_by_class(attention_to(KEYS["previous"])[None, None], ids, LETTERS)
    expected = dict.fromkeys(CLASSES, 0.0) | {
        "vowel": 2 / 7,
        "consonant": 2 / 7,
        "newline": 2 / 7,
        "space": 1 / 7,
    }
    assert shares.flatten().tolist() == pytest.approx(list(expected.values()))


def test_attention_by_distance_equals_a_computation_by_hand():
    shares = attention_by_distance(attention_to(KEYS["previous"])[None, None]).flatten()
    assert shares.tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    shares = attention_by_distance(uniform(4)[None, None]).flatten()
    near, far = (1 / 2 + 1 / 3 + 1 / 4) / 3, (1 / 3 + 1 / 4) / 2
    assert shares.tolist() == pytest.approx([near, near, far, 1 / 4])


def test_attention_by_class_and_distance_adds_up_to_1(model, tokenizer, corpus):
    ids = tokenizer.encode(corpus[:16])
    weights = attention_maps(model, ids).weights
    shares = attention_by_class(weights, ids, tokenizer)
    torch.testing.assert_close(shares.sum(dim=-1), torch.ones(2, 3))
    queries = torch.tensor([15, *range(15, 0, -1)])  # those with a key at each distance
    rows = attention_by_distance(weights) * queries
    torch.testing.assert_close(rows.sum(dim=-1), torch.full((2, 3), 15.0))
    mean = (rows * torch.arange(16)).sum(dim=-1) / 15
    torch.testing.assert_close(text_scores(weights, ids, tokenizer).distance, mean)


def test_the_scores_of_a_split_are_weighted_means_over_its_windows(model, tokenizer, corpus):
    data = torch.tensor(tokenizer.encode(corpus[:100]))
    calls: list[tuple[int, int]] = []
    scores = head_scores(model, tokenizer, data, lambda *call: calls.append(call))
    assert calls == [(n, 6 + 6 * 2 * 3) for n in range(1, 43)]
    assert scores.positions == 6 * 15
    windows = [data[at : at + 16].tolist() for at in range(0, 96, 16)]
    each = [text_scores(attention_maps(model, ids).weights, ids, tokenizer) for ids in windows]
    for name in set(KEYS) - {"speaker"}:
        measured = [window for window in each if name in window.scores]
        assert scores.counts[name] == sum(window.counts[name] for window in measured)
        total = sum(window.scores[name] * window.counts[name] for window in measured)
        torch.testing.assert_close(scores.scores[name], total / scores.counts[name])
    torch.testing.assert_close(scores.entropy, sum(window.entropy for window in each) / 6)
    torch.testing.assert_close(scores.distance, sum(window.distance for window in each) / 6)
    # Only the first window has a speaker: the text has no empty line.
    assert scores.counts["speaker"] == 15


@pytest.mark.parametrize(
    ("windows", "selected"), [(1, [0]), (8, range(8)), (20, [0, 2, 5, 7, 10, 12, 15, 17])], ids=str
)
def test_heads_are_ablated_over_evenly_spread_windows(model, tokenizer, corpus, windows, selected):
    data = torch.tensor(tokenizer.encode(corpus[: 16 * windows + 3]))
    ablation = head_scores(model, tokenizer, data).ablation
    assert ablation.positions == 15 * len(selected)
    texts = torch.stack([data[16 * n : 16 * n + 16] for n in selected])

    def loss(mask: Tensor | None) -> Tensor:
        logits = model(texts, head_mask=mask)[:, :-1]
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), texts[:, 1:].flatten())

    for layer in range(2):
        for head in range(3):
            mask = torch.ones(2, 3)
            mask[layer, head] = 0
            change = (loss(mask) - loss(None)).item()
            assert ablation.loss_change[layer, head].item() == pytest.approx(change, abs=1e-5)


def test_an_empty_line_in_the_window_before_starts_a_speaker(model):
    characters = "".join(chr(97 + n) for n in range(model.config.vocab_size - 1))
    letters = CharTokenizer("\n" + characters)
    data = torch.tensor(letters.encode("a" * 14 + "\n\n" + "b" * 16))
    assert head_scores(model, letters, data).counts["speaker"] == 30


def test_a_split_shorter_than_a_window_is_refused(model, tokenizer):
    with pytest.raises(ValueError, match="at least 16 characters"):
        head_scores(model, tokenizer, torch.zeros(15, dtype=torch.int64))


def test_the_heads_of_an_induction_model_are_recognised(induction_model):
    ids = [2, 3, 1, 0, 2, 3, 1, 0, 2, 3, 1, 0]
    letters = CharTokenizer("abcd")
    scores = text_scores(attention_maps(induction_model, ids).weights, ids, letters)
    assert scores.scores["previous"][0].item() == pytest.approx(1, abs=1e-4)
    assert scores.scores["induction"][1].item() == pytest.approx(1, abs=1e-4)
    assert scores.counts["induction"] == 8
    assert scores.counts["induction-4"] == 5
    assert scores.scores["induction-4"][1].item() == pytest.approx(1, abs=1e-4)
    assert scores.label(0, 0).name == "previous" and scores.label(1, 0).name == "induction"


def test_a_longer_prefix_matches_fewer_queries():
    text = "bab  aab  ab"
    #       0b 1a 2b 3␣ 4␣ 5a 6a 7b 8␣ 9␣ 10a 11b
    letters = CharTokenizer("\n ab")
    (window,) = texts(torch.tensor(letters.encode(text)), len(text), letters)

    def keys(count: int) -> dict[int, int]:
        name = "induction" if count == 1 else f"induction-{count}"
        return dict(PATTERNS[name].keys(window).nonzero().tolist())

    assert keys(1) == {2: 1, 4: 4, 5: 2, 6: 6, 7: 3, 8: 5, 9: 9, 10: 7, 11: 8}
    assert keys(2) == {7: 3, 8: 4, 9: 5, 10: 6, 11: 8}
    assert keys(3) == {8: 4, 9: 5, 10: 6}
    assert keys(4) == {9: 5, 10: 6}


def test_an_induction_head_is_found_on_random_text_that_repeats(induction_model):
    repeated = repeated_scores(induction_model, CharTokenizer("abcd"))
    assert repeated.scores[1].item() == pytest.approx(1, abs=1e-4)
    assert repeated.scores[0].item() < repeated.uniform
    half = min(induction_model.config.vocab_size, induction_model.config.block_size // 2)
    assert repeated.positions == REPEATED_TEXTS * (half - 1)
    shares = [1 / (query + 1) for query in range(half, 2 * half - 1)]
    assert repeated.uniform == pytest.approx(sum(shares) / len(shares))


def test_random_text_that_repeats_has_no_white_space(induction_model):
    assert repeated_scores(induction_model, CharTokenizer("\n ab")).positions == REPEATED_TEXTS
    assert repeated_scores(induction_model, CharTokenizer("\t\n a")) is None


def test_a_window_of_three_characters_has_no_text_that_repeats(tiny_config, tokenizer):
    assert repeated_scores(GPT(replace(tiny_config, block_size=3)).eval(), tokenizer) is None


def test_only_some_windows_of_a_long_text_are_measured(model, tokenizer, corpus):
    data = torch.tensor(tokenizer.encode(corpus[:640]))  # 40 windows of 16
    whole = head_scores(model, tokenizer, data)
    assert head_scores(model, tokenizer, data, most_windows=48).to_json() == whole.to_json()
    seen: list[tuple[int, int]] = []
    some = head_scores(
        model, tokenizer, data, lambda done, total: seen.append((done, total)), most_windows=20
    )
    assert some.positions == 20 * 15
    assert some.ablation.positions == 3 * 15, "20 passes ablate each of the 6 heads 3 times"
    assert seen == [(n, 20 + 3 * 6) for n in range(1, 39)]
    every_second = data.view(40, 16)[::2].flatten()
    torch.testing.assert_close(
        some.entropy, head_scores(model, tokenizer, every_second).entropy, rtol=1e-4, atol=1e-5
    )
    few = head_scores(model, tokenizer, data, most_windows=1)
    assert (few.positions, few.ablation.positions) == (15, 15)
