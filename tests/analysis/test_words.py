from microgpt import checkpoint
from microgpt.analysis import words
from microgpt.analysis.words import word_share, write_texts
from microgpt.engine import Decoder, backends, scheduler
from microgpt.generate import generate, start_ids
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer


def test_a_word_is_letters_with_apostrophes_inside_and_has_no_case():
    assert words.words("O'er THE 2 hills—'tis l’été!") == ["o'er", "the", "hills", "tis", "l’été"]


def test_the_share_counts_every_occurrence():
    assert word_share(["the cat the", "zat"], "The cat sat.") == 0.75


def test_texts_without_a_word_have_no_share():
    assert word_share(["12 ...", ""], "the cat") is None


def test_the_texts_are_those_of_their_seeds_without_a_last_word(trained_checkpoint, monkeypatch):
    monkeypatch.setattr(words, "TEXTS", 3)
    monkeypatch.setattr(words, "LENGTH", 40)
    made = checkpoint.load(trained_checkpoint)
    model, tokenizer, start = made.model, made.tokenizer, start_ids(made.tokenizer, "")
    seen = []
    texts = write_texts(model, tokenizer, lambda done, total: seen.append((done, total)))
    for seed, text in enumerate(texts):
        config = SamplingConfig(temperature=words.TEMPERATURE, seed=seed)
        stream = generate(Decoder(model), tokenizer, start, 40, config)
        whole = "".join(each.text for each in stream)
        assert text and whole.startswith(text) and not text[-1].isalpha()
        assert whole[len(text) :].casefold() in ("", words.words(whole)[-1])
    assert len({*texts}) == 3
    assert seen[-1] == (120, 120)


def test_texts_that_wait_for_a_slot_and_texts_that_nobody_takes_are_written(model, monkeypatch):
    monkeypatch.setattr(backends, "CACHE_BYTES", 0)  # one slot
    monkeypatch.setattr(scheduler, "MAX_READY", 4)
    monkeypatch.setattr(words, "TEXTS", 2)
    monkeypatch.setattr(words, "LENGTH", 12)  # less than the window, so a text keeps its slot
    done = []
    tokenizer = CharTokenizer("".join(map(chr, range(200, 200 + model.config.vocab_size))))
    assert len(write_texts(model, tokenizer, lambda *progress: done.append(progress))) == 2
    assert done[-1] == (24, 24)
