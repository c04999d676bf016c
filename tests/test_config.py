from dataclasses import FrozenInstanceError

import pytest

from microgpt.config import MODEL_LIMITS, ConfigError, EncoderDecoderConfig, GPTConfig, TrainConfig
from microgpt.formats import FormatError


def test_the_defaults_are_the_model_and_training_of_the_original():
    assert GPTConfig() == GPTConfig(65, 256, 6, 6, 384, 4, True, "all", 0.2)
    assert GPTConfig().head_size == 64
    recipe = TrainConfig()
    assert (recipe.steps, recipe.batch_size, recipe.optimizer) == (5000, 64, "adamw")
    assert (recipe.learning_rate, recipe.warmup_steps, recipe.decay_fraction) == (3e-4, 0, 0.0)
    assert (recipe.init, recipe.weight_decay) == ("pytorch", 0.01)
    assert (recipe.eval_interval, recipe.eval_batches) == (500, 200)


@pytest.mark.parametrize("config", [GPTConfig(), TrainConfig()], ids=["model", "train"])
def test_a_config_is_immutable_and_converts_to_a_dictionary_and_back(config):
    values = config.to_dict()
    assert type(config).from_dict(values) == config
    with pytest.raises(FrozenInstanceError):
        setattr(config, next(iter(values)), 1)


@pytest.mark.parametrize("name", MODEL_LIMITS)
def test_every_number_of_a_model_has_limits(name):
    fitting = {"n_head": 1, "n_embd": 64}
    low, high = MODEL_LIMITS[name]
    for value in {low, high}:
        config = EncoderDecoderConfig(**{**fitting, name: value})
        assert getattr(config, name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(ConfigError, match=f"{name} is .* between"):
            EncoderDecoderConfig(**{**fitting, name: value})


@pytest.mark.parametrize(
    "change",
    [{"norm": "blocks"}, {"activation": "gelu"}, {"tied": True}, {"qkv_bias": True}],
    ids=str,
)
def test_an_encoder_decoder_has_no_options_that_only_a_gpt_has(change):
    with pytest.raises(ConfigError, match=f"{next(iter(change))} of an encoder–decoder is always"):
        EncoderDecoderConfig(**change)


def test_the_documented_limits():
    highest = {name: high for name, (_, high) in MODEL_LIMITS.items()}
    assert highest["n_layer"] == 48
    assert highest["n_head"] == 64
    assert highest["n_embd"] == 2048
    assert highest["block_size"] == 4096
    assert highest["vocab_size"] == 4096


@pytest.mark.parametrize(
    "values",
    [
        {"n_layer": 6.0},
        {"n_layer": True},
        {"n_layer": "6"},
        {"n_layer": None},
        {"n_layer": 10**400},
        {"dropout": "0.1"},
        {"dropout": float("nan")},
        {"dropout": float("inf")},
        {"n_embd": 100, "n_head": 6},
    ],
    ids=str,
)
def test_a_malformed_model_is_refused(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        GPTConfig(**values)


def test_the_error_for_an_unknown_choice_lists_the_choices():
    with pytest.raises(ConfigError, match="'newton'; it must be adamw"):
        TrainConfig(optimizer="newton")
    with pytest.raises(ConfigError, match="precision"):
        TrainConfig(precision=["float32"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("n_layer"), "'n_layer' is missing"),
        (lambda values: values.update(extra=1), "unknown setting 'extra'"),
        (lambda values: values.update(n_layer=None), "n_layer is None"),
    ],
)
def test_a_dictionary_with_a_missing_or_unknown_setting_is_refused(change, message):
    values = GPTConfig().to_dict()
    change(values)
    with pytest.raises((ConfigError, FormatError), match=message):
        GPTConfig.from_dict(values)


@pytest.mark.parametrize("values", [None, [], "text", 3])
def test_a_value_that_is_not_a_json_object_is_refused(values):
    with pytest.raises(ConfigError, match="must be a JSON object"):
        GPTConfig.from_dict(values)


def test_the_error_for_a_long_value_is_short():
    with pytest.raises(ConfigError) as caught:
        GPTConfig.from_dict({**GPTConfig().to_dict(), "dropout": "x" * 10_000})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [1, "true", None], ids=str)
def test_a_boolean_setting_must_be_true_or_false(value):
    with pytest.raises(ConfigError, match=r"residual is .*; it must be true or false"):
        GPTConfig(residual=value)
