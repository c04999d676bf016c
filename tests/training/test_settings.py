import dataclasses
import re

import pytest

from microgpt.config import GPTConfig, TrainConfig
from microgpt.training.settings import MAY_CHANGE, ResumeError, RunSettings

SAVED = RunSettings(GPTConfig(), TrainConfig(), "ab" * 32)
OTHERS = {
    **{"norm": "none", "residual": False, "init": "small", "optimizer": "muon"},
    **{"precision": "bfloat16", "dropout": 0.1, "decay_fraction": 0.5, "ema_decay": 0.5},
    **{"n_embd": 768, "n_head": 3, "task": "repeats"},
    **{"activation": "gelu", "score_scale": "n_embd", "tied": True, "norm_bias": False},
    **{"qkv_bias": True, "linear_bias": False, "head_bias": False},
}
SETTINGS = [
    (part, field.name)
    for part, config in (("model", GPTConfig), ("train", TrainConfig))
    for field in dataclasses.fields(config)
]


def test_equal_settings_resume_a_run():
    SAVED.check_resumes(SAVED, SAVED.train.steps)
    assert SAVED.changes(SAVED) == {}


@pytest.mark.parametrize(("part", "name"), SETTINGS)
def test_a_setting_changes_or_is_refused_by_name_with_both_values(part, name):
    config = getattr(SAVED, part)
    old = getattr(config, name)
    new = OTHERS[name] if name in OTHERS else old + 1
    changed = dataclasses.replace(SAVED, **{part: dataclasses.replace(config, **{name: new})})
    assert changed.changes(SAVED) == {name: f"{old} to {new}"}
    if name in MAY_CHANGE:
        changed.check_resumes(SAVED, SAVED.train.steps)
    else:
        refusal = re.escape(f"a resumed run cannot change {name} from {old} to {new}; keep the old")
        with pytest.raises(ResumeError, match=refusal):
            changed.check_resumes(SAVED, 0)


def test_every_setting_that_may_change_exists():
    assert {name for _, name in SETTINGS} > MAY_CHANGE


def test_a_run_cannot_be_resumed_with_fewer_steps_than_it_has_made():
    shorter = dataclasses.replace(SAVED, train=TrainConfig(steps=300))
    shorter.check_resumes(SAVED, 300)
    with pytest.raises(
        ResumeError, match="steps from 5000 to 300, because 301 steps have already been made"
    ):
        shorter.check_resumes(SAVED, 301)


def test_another_text_is_refused():
    with pytest.raises(ResumeError, match="trained on another text"):
        dataclasses.replace(SAVED, data_sha256="cd" * 32).check_resumes(SAVED, 0)
