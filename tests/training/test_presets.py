from microgpt.config import GPTConfig, TrainConfig
from microgpt.training.presets import PRESETS


def test_the_preset_seed_is_the_recipe_of_the_original():
    seed = PRESETS["seed"]
    assert (seed.model, seed.train) == (GPTConfig(), TrainConfig())


def test_each_phase_preset_adds_one_part_to_the_model():
    phases = [PRESETS[f"phase{i}"].model for i in (1, 2, 3, 4)]
    switches = [(phase.residual, phase.mlp_ratio, phase.norm) for phase in phases]
    assert switches == [
        (False, 1, "none"),
        (True, 4, "none"),
        (True, 4, "blocks"),
        (True, 4, "all"),
    ]
    assert len({PRESETS[f"phase{i}"].train for i in (1, 2, 3, 4)}) == 1
