"""Any text, settings and seed give a result or an error of one sentence."""

import contextlib
import dataclasses
import io
import json
import math

import pytest
import torch
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from microgpt.cli import main
from microgpt.config import ConfigError
from microgpt.engine import Decoder
from microgpt.formats import FormatError
from microgpt.generate import generate, start_ids
from microgpt.sampling import (
    SAMPLING_LIMITS,
    SamplingConfig,
    Uniforms,
    next_token_probs,
    sample,
)
from microgpt.tokenizer import CharTokenizer, TokenizerError, UnknownCharacterError

MOST = 10_000


def examples(count: int) -> settings:
    # Always the same examples, and none slow enough to matter on a busy machine.
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


def within(name: str) -> st.SearchStrategy:
    low, high = SAMPLING_LIMITS[name]
    whole = isinstance(low, int)
    return st.integers(low, high) if whole else st.floats(low, high)


# Any characters, with halves of surrogate pairs, or characters that a model may know.
texts = st.one_of(
    st.text(st.characters(), max_size=200),
    st.text("abdo kelimu\n.", max_size=200),
    st.builds(
        lambda part, count: (part * count)[:MOST],
        st.text(st.one_of(st.sampled_from("ba\n\0\u0301\ud800🎭"), st.characters()), max_size=50),
        st.integers(1, MOST),
    ),
)
configs = st.builds(SamplingConfig, **{name: within(name) for name in SAMPLING_LIMITS})
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


def is_one_sentence(text: str) -> bool:
    return bool(text.strip()) and text.isprintable()


@examples(400)
@given(
    logits=st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=80),
    config=configs,
)
@example(logits=[0.0, 0.0, 0.0], config=SamplingConfig(temperature=5e-324, top_p=0.0))
@example(logits=[1e30, -1e30], config=SamplingConfig(temperature=2.0, top_k=1024))
def test_any_logits_and_settings_give_a_distribution(logits, config):
    values = torch.tensor(logits)
    probs = next_token_probs(values, config)
    assert probs.min() >= 0 and math.isclose(probs.sum().item(), 1.0, abs_tol=1e-9)
    kept = probs > 0
    assert kept.sum() <= (config.top_k or len(logits))
    if not kept.all():
        assert values[kept].min() >= values[~kept].max(), "the likeliest are kept"
    if config.temperature == 0 or config.top_p == 0:
        assert kept.sum() == 1
    assert kept[sample(values[None].numpy(), [config], [Uniforms(config.seed)])]


@examples(200)
@given(
    values=json_values
    | st.fixed_dictionaries(
        {name: within(name) | json_values for name in SAMPLING_LIMITS}
        | {"exact": st.booleans() | json_values}
    )
)
def test_any_json_is_valid_settings_or_an_error(values):
    try:
        config = SamplingConfig.from_dict(values)
    except (ConfigError, FormatError) as error:
        assert is_one_sentence(str(error))
        return
    for name, (low, high) in SAMPLING_LIMITS.items():
        assert low <= getattr(config, name) <= high


@examples(300)
@given(text=texts)
def test_any_text_is_encoded_or_its_unknown_characters_are_named(tokenizer, text):
    try:
        assert tokenizer.decode(tokenizer.encode(text)) == text
    except UnknownCharacterError as error:
        assert is_one_sentence(str(error))
        assert all(text[at] == char for char, at in error.positions.items())
    plain = tokenizer.replace_unknown(text)
    assert tokenizer.decode(tokenizer.encode(plain)) == plain


@examples(100)
@given(characters=st.text(st.characters(), max_size=1100))
def test_any_text_has_a_vocabulary_or_an_error(characters):
    try:
        made = CharTokenizer.from_text(characters)
    except TokenizerError as error:
        assert is_one_sentence(str(error))
        return
    assert CharTokenizer.from_json(made.to_json()).characters == made.characters


@examples(150)
@given(prompt=texts, length=st.integers(0, 60), config=configs, exact=st.booleans())
def test_any_prompt_gives_the_same_text_twice(model, tokenizer, prompt, length, config, exact):
    prompt = tokenizer.replace_unknown(prompt)
    config = dataclasses.replace(config, exact=exact)
    ids = start_ids(tokenizer, prompt)
    first, second = (
        [c.text for c in generate(Decoder(model), tokenizer, ids, length, config)] for _ in "ab"
    )
    assert len(first) == length and first == second
    assert set(first) <= set(tokenizer.characters)


@examples(60)
@given(prompt=texts, config=configs, tokens=st.integers(-2, 30))
def test_the_command_writes_a_text_or_one_error(tiny_checkpoint, prompt, config, tokens):
    assume("\0" not in prompt)  # which no command line can carry
    out, err = io.StringIO(), io.StringIO()
    args = [
        "generate",
        "--checkpoint",
        str(tiny_checkpoint),
        f"--prompt={prompt}",
        f"--tokens={tokens}",
    ]
    values = ((name.replace("_", "-"), getattr(config, name)) for name in SAMPLING_LIMITS)
    args += [f"--{name}={value}" for name, value in values]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(args)
    if code == 0:
        start = prompt or "\n"
        text = out.getvalue()
        assert text.startswith(start) and len(text) == len(start) + tokens
    else:
        assert code == 2 and out.getvalue() == "" and is_one_sentence(err.getvalue()[:-1])


@pytest.fixture(scope="module")
def app(tiny_checkpoint):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICROGPT_CHECKPOINT", str(tiny_checkpoint))
        yield AppTest.from_file("../app.py", default_timeout=60).run()


@examples(40)
@given(
    # A browser sends no halves of surrogate pairs.
    prompt=texts.map(lambda text: text.encode("utf-8", "replace").decode()),
    config=configs,
    length=st.integers(1, 50),
)
def test_the_page_writes_a_text_or_one_error(app, prompt, config, length):
    app.text_area("prompt").set_value(prompt)
    app.slider("temperature").set_value(round(config.temperature * 20) / 20)
    app.slider("top_k").set_value(1 + config.top_k % app.slider("top_k").max)
    app.slider("top_p").set_value(round(config.top_p, 2))
    app.number_input("seed").set_value(config.seed)
    app.number_input("length").set_value(length)
    app.run()
    assert not app.exception
    if app.error:
        (error,) = app.error
        assert is_one_sentence(error.value)
        return
    next(button for button in app.button if button.label == "Write").click().run()
    assert not app.exception and not app.error
    (data,) = (json.loads(e.proto.json) for e in app.get("bidi_component"))
    assert len(data["records"]) > 0
