import pytest
import torch

from microgpt.analysis.head_patterns import PATTERNS
from microgpt.analysis.head_scores import Ablation, HeadScores, Repeated
from microgpt.analysis.presets import presets
from microgpt.hub import load_bundled

NAMES = [
    "Previous-character heads",
    "Head with the largest effect",
    "Same-character head",
    "Induction head",
]
ZERO = [[0.0, 0.0], [0.0, 0.0]]


def measured(
    tables: dict[str, list[list[float]]],
    ablation: list[list[float]] | None = None,
    repeated: list[list[float]] | None = None,
) -> HeadScores:
    """Head scores of two layers of two heads; uniform attention scores 0.05, repeated 0.01."""
    return HeadScores(
        positions=100,
        counts={name: 100 if name in tables else 0 for name in PATTERNS},
        uniform=dict.fromkeys(tables, 0.05),
        scores={name: torch.tensor(table) for name, table in tables.items()},
        entropy=torch.zeros(2, 2),
        distance=torch.zeros(2, 2),
        ablation=None if ablation is None else Ablation(100, torch.tensor(ablation)),
        repeated=None if repeated is None else Repeated(100, 0.01, torch.tensor(repeated)),
    )


def preset(scores: HeadScores, name: str) -> tuple[tuple[tuple[int, int], ...], str]:
    """The heads of a preset, and its sentence."""
    assert [each.name for each in presets(scores)] == NAMES
    (found,) = (each for each in presets(scores) if each.name == name)
    return found.heads, found.about


@pytest.mark.parametrize(
    ("table", "heads", "about"),
    [
        (
            [[0.2, 0.5], [0.3, 0.29]],
            ((0, 1), (1, 0)),
            "These 2 heads give 0.300 to 0.500 of their attention to the character before; "
            "uniform attention would give 0.050.",
        ),
        (
            [[0.2, 0.5], [0.1, 0.1]],
            ((0, 1),),
            "This previous-character head scores 0.500 (uniform attention: 0.050).",
        ),
        (
            [[0.2, 0.29], [0.1, 0.1]],
            (),
            "This model has no previous-character head: the best score is 0.290 (uniform "
            "attention: 0.050).",
        ),
    ],
    ids=["two", "one", "none"],
)
def test_all_previous_character_heads_are_one_preset(table, heads, about):
    assert preset(measured({"previous": table}), NAMES[0]) == (heads, about)


def test_the_largest_effect_is_the_highest_rise_of_the_loss():
    assert preset(measured({}, ablation=[[0.1, -0.5], [0.2, 0.0]]), NAMES[1]) == (
        ((1, 0),),
        "Without this head the loss on new text rises by 0.2000 nats per character, more than "
        "without any other.",
    )


def test_no_head_has_the_largest_effect_if_the_loss_never_rises():
    assert preset(measured({}, ablation=[[-0.1, -0.5], [-0.2, -0.3]]), NAMES[1]) == (
        (),
        "Every head can be left out: the loss changes by -0.1000 nats at most.",
    )


@pytest.mark.parametrize(("score", "heads"), [(0.1, ((1, 1),)), (0.09, ())], ids=["twice", "less"])
def test_a_same_character_head_scores_twice_as_much_as_uniform_attention(score, heads):
    found, about = preset(measured({"same": [[0.0, 0.05], [0.02, score]]}), NAMES[2])
    assert found == heads
    start = "This same-character head scores" if heads else "This model has no same-character head:"
    assert about.startswith(start)
    assert about.endswith(f"{score:.3f} (uniform attention: 0.050).")


def test_an_induction_head_is_found_on_repeated_random_text():
    scores = measured({"induction": ZERO}, repeated=[[0.0, 0.1], [0.9, 0.2]])
    assert preset(scores, NAMES[3]) == (
        ((1, 0),),
        "This induction head scores 0.900 on repeated random text (uniform attention: 0.010).",
    )


@pytest.mark.parametrize("prefix", ["induction", "induction-2", "induction-3", "induction-4"])
def test_an_induction_head_is_found_after_a_prefix(prefix):
    tables = {"induction": ZERO, "induction-4": ZERO, prefix: [[0.0, 0.4], [0.1, 0.2]]}
    for repeated in (None, ZERO):
        assert preset(measured(tables, repeated=repeated), NAMES[3]) == (
            ((0, 1),),
            "This induction head scores 0.400 after a prefix of 1 to 4 characters (uniform "
            "attention: 0.050).",
        )


def test_a_preset_names_the_score_that_chose_its_heads():
    tables = {"previous": [[0.4, 0.0], [0.5, 0.0]], "same": [[0.0, 0.0], [0.2, 0.0]]}
    tables |= {"induction-2": [[0.0, 0.0], [0.0, 0.6]]}
    found = presets(measured(tables, ablation=[[0.1, 0.0], [0.0, 0.0]]))
    assert [each.score for each in found] == ["previous", "", "same", "induction-2"]
    random = presets(measured({}, repeated=[[0.9, 0.0], [0.0, 0.0]]))
    assert [each.score for each in random] == ["", "", "", "repeated"]


def test_scores_that_were_not_measured_give_empty_presets():
    for each in presets(measured({})):
        assert each.heads == ()
        assert each.about.endswith("not measured.")


def test_scores_of_an_older_checkpoint_lack_the_repeated_text():
    scores = measured({"induction": [[0.0, 0.2], [0.1, 0.2]]})
    assert preset(scores, NAMES[3]) == (
        (),
        "This model has no induction head: the best score is 0.200 after a prefix of 1 to 4 "
        "characters (uniform attention: 0.050).",
    )


def test_the_presets_of_the_bundled_checkpoint():
    scores = load_bundled().head_scores
    assert scores is not None
    assert {each.name: (each.heads, each.about) for each in presets(scores)} == {
        "Previous-character heads": (
            ((0, 0), (0, 2), (0, 4), (0, 5), (2, 1)),
            "These 5 heads give 0.377 to 0.428 of their attention to the character before; "
            "uniform attention would give 0.020.",
        ),
        "Head with the largest effect": (
            ((0, 1),),
            "Without this head the loss on new text rises by 0.0165 nats per character, more than "
            "without any other.",
        ),
        "Same-character head": (
            (),
            "This model has no same-character head: the best score is 0.066 (uniform "
            "attention: 0.062).",
        ),
        "Induction head": (
            (),
            "This model has no induction head: the best score is 0.012 on repeated random text "
            "(uniform attention: 0.011); it is 0.042 after a prefix of 1 to 4 characters (uniform "
            "attention: 0.012).",
        ),
    }
