"""The texts on which neurons are scored."""

import dataclasses
import hashlib

from microgpt import checkpoint
from microgpt.analysis.neurons import max_scored
from microgpt.config import TrainConfig
from microgpt.tasks import task_text
from microgpt.ui.cache.inside import has_validation_text, validation_text
from microgpt.ui.inside.neuron_texts import clearest_found, kind_name


def test_a_kind_has_its_phrase_and_a_character_its_sign():
    assert kind_name("newlines") == "newlines" and kind_name("\t") == "the character ⇥"


def test_the_clearest_neuron_is_found_on_a_text_that_the_model_writes(tiny_checkpoint):
    loaded = checkpoint.load(tiny_checkpoint)
    assert clearest_found(loaded) == clearest_found(checkpoint.load(tiny_checkpoint))


def test_the_validation_split_of_a_task_is_made(tiny_checkpoint):
    loaded = checkpoint.load(tiny_checkpoint)
    config = TrainConfig(task="repeats")
    text = task_text(config)
    digest = hashlib.sha256(text.encode()).hexdigest()
    training = dataclasses.replace(loaded.training, config=config, data_sha256=digest)
    made = dataclasses.replace(loaded, training=training, weights_sha256="1" * 64)
    assert has_validation_text(made)
    found = validation_text(made)
    assert found in text and len(found) == max_scored(made.config)
    older = dataclasses.replace(training, data_sha256="0" * 64)  # another version made its text
    other = dataclasses.replace(made, training=older, weights_sha256="2" * 64)
    assert validation_text(other) is None


def test_a_corpus_that_comes_later_is_found(tiny_checkpoint, corpus, tmp_path, monkeypatch):
    loaded = dataclasses.replace(checkpoint.load(tiny_checkpoint), weights_sha256="3" * 64)
    path = tmp_path / "corpus.txt"
    monkeypatch.setenv("MICROGPT_DATA", str(path))
    digest = hashlib.sha256(corpus.encode()).hexdigest()
    training = dataclasses.replace(loaded.training, data_sha256=digest)
    loaded = dataclasses.replace(loaded, training=training)
    assert not has_validation_text(loaded) and validation_text(loaded) is None
    path.write_text(corpus, encoding="utf-8", newline="")
    assert has_validation_text(loaded) and validation_text(loaded) in corpus
