import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from microgpt.data import (
    TINY_SHAKESPEARE_SHA256,
    DataError,
    cache_folder,
    count_that_fits,
    find_corpus,
    fold_rare,
    random_batch,
    read_text,
    split,
    text_warnings,
    tiny_shakespeare,
    validation_part,
    windows,
)
from microgpt.errors import MicroGPTError

TEXT = b"a text to download\n" * 100
TEXT_SHA256 = hashlib.sha256(TEXT).hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MICROGPT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache"


class TextServer(ThreadingHTTPServer):
    """Serves a text on loopback and counts the requests."""

    requests = 0
    body = TEXT
    status_line = "HTTP/1.0 200 OK"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/input.txt"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.requests += 1
        self.wfile.write(f"{self.server.status_line}\r\n\r\n".encode() + self.server.body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[TextServer]:
    with TextServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_text_is_downloaded_once(server, cache):
    path = tiny_shakespeare(server.url, TEXT_SHA256)
    assert path.read_bytes() == TEXT
    assert path.parent == cache
    assert tiny_shakespeare(server.url, TEXT_SHA256) == path
    assert server.requests == 1


def test_a_damaged_copy_is_downloaded_again(server, cache):
    path = tiny_shakespeare(server.url, TEXT_SHA256)
    path.write_bytes(TEXT[:-1])
    assert tiny_shakespeare(server.url, TEXT_SHA256).read_bytes() == TEXT
    assert server.requests == 2


def test_another_text_is_refused_and_not_kept(server, cache):
    with pytest.raises(DataError, match=f"not the expected text .SHA-256 {TEXT_SHA256}"):
        tiny_shakespeare(server.url)
    assert list(cache.iterdir()) == []
    assert TINY_SHAKESPEARE_SHA256 == (
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
    )


@pytest.mark.parametrize("status_line", ["HTTP/1.0 503 Busy", "HTTP/1.0 404 Gone", "nonsense"])
def test_a_failing_server_is_an_error(server, cache, status_line):
    server.status_line = status_line
    with pytest.raises(DataError, match=r"could not be downloaded .*--data FILE"):
        tiny_shakespeare(server.url, TEXT_SHA256)
    assert list(cache.iterdir()) == []


def test_an_unreachable_server_is_an_error(cache):
    with TextServer(("127.0.0.1", 0), Handler) as closed:
        url = closed.url
    with pytest.raises(DataError, match=r"could not be downloaded .*--data FILE"):
        tiny_shakespeare(url)
    assert list(cache.iterdir()) == []


def test_environment_variables_set_the_cache_folder(monkeypatch):
    monkeypatch.delenv("MICROGPT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/microgpt")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/reader")
    assert cache_folder() == Path("/home/reader/.cache/microgpt")
    monkeypatch.setenv("MICROGPT_CACHE", "/elsewhere")
    assert cache_folder() == Path("/elsewhere")


def test_a_user_without_a_home_is_told_to_set_the_cache_folder(monkeypatch):
    for name in ("MICROGPT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, "~")  # as for a user without a home
    with pytest.raises(MicroGPTError, match="set MICROGPT_CACHE to a folder"):
        cache_folder()


def test_the_corpus_is_found_by_its_hash(cache, monkeypatch, tmp_path):
    assert find_corpus(TEXT_SHA256) is None, "nothing was downloaded"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "tinyshakespeare.txt").write_bytes(TEXT)
    assert find_corpus(TEXT_SHA256) == TEXT.decode()
    assert find_corpus("0" * 64) is None
    named = tmp_path / "own.txt"
    monkeypatch.setenv("MICROGPT_DATA", str(named))
    assert find_corpus(TEXT_SHA256) is None, "there is no such file"
    named.write_text("my own text", encoding="utf-8")
    own = hashlib.sha256(b"my own text").hexdigest()
    assert find_corpus(own) == "my own text" and find_corpus(TEXT_SHA256) is None


def test_a_text_is_read_without_changes(tmp_path):
    path = tmp_path / "text.txt"
    data = "\ufeffé\r\nb\n\rc\r".encode()
    path.write_bytes(data)
    assert read_text(path).encode() == data


def test_an_unreadable_text_is_named(tmp_path):
    with pytest.raises(DataError, match=r"missing.txt cannot be read: No such file"):
        read_text(tmp_path / "missing.txt")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="binary cannot be read: it is not UTF-8"):
        read_text(tmp_path / "binary")
    with pytest.raises(DataError, match="directory"):
        read_text(tmp_path)


def test_the_last_10_percent_are_the_validation_split():
    train, val = split(list(range(200)), block_size=8)
    assert train.tolist() == list(range(180))
    assert val.tolist() == list(range(180, 200))
    assert train.dtype == val.dtype == torch.int64


def test_the_validation_part_of_a_text_is_the_validation_split(corpus, tokenizer):
    ids = tokenizer.encode(corpus)
    assert tokenizer.encode(validation_part(corpus)) == split(ids, 8).val.tolist()


def test_each_split_has_at_least_one_window_and_its_target():
    assert len(split(list(range(81)), block_size=8).val) == 9
    with pytest.raises(DataError, match=r"at least 81 characters; this one has 80"):
        split(list(range(80)), block_size=8)


def test_a_batch_has_random_windows_and_their_next_characters():
    data = torch.arange(100, 130)
    x, y = random_batch(data, 500, 8, torch.Generator().manual_seed(0))
    assert x.shape == y.shape == (500, 8)
    assert torch.equal(y, x + 1)
    assert torch.equal(x, x[:, :1] + torch.arange(8))
    # Every window is drawn, the first and the last included.
    assert set(x[:, 0].tolist()) == set(range(100, 122))


def test_the_generator_determines_the_batches():
    data = torch.arange(1000)
    batches = [random_batch(data, 4, 8, torch.Generator().manual_seed(s))[0] for s in (1, 1, 2)]
    assert torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[2])


@pytest.mark.parametrize(("length", "count"), [(9, 1), (16, 1), (17, 2), (20, 2)])
def test_windows_cover_a_text_in_order_without_overlap(length, count):
    inputs, targets = windows(torch.arange(length), 8)
    assert inputs.flatten().tolist() == list(range(8 * count))
    assert inputs.shape == (count, 8)
    assert torch.equal(targets, inputs + 1)


def test_a_text_without_a_mistake_has_no_warning(corpus):
    assert text_warnings(corpus + "日本語 \u200d") == []


@pytest.mark.parametrize(
    ("data", "warnings"),
    [
        ("some words\n".encode("utf-16-le"), ["11 NUL characters, so it is probably UTF-16"]),
        (b"\xef\xbb\xbfwords", ["a byte order mark (U+FEFF)"]),
        (b"one\r\ntwo\r\n", ["Windows line endings (CR LF), which are two characters each"]),
        (b"one\rtwo", ["carriage returns (CR)"]),
        (b"\xef\xbb\xbfone\r\n", ["a byte order mark", "Windows line endings"]),
    ],
    ids=str,
)
def test_a_warning_says_what_is_wrong_with_a_text(tmp_path, data, warnings):
    (tmp_path / "text.txt").write_bytes(data)
    found = text_warnings(read_text(tmp_path / "text.txt"))
    assert len(found) == len(warnings)
    for sentence, part in zip(found, warnings, strict=True):
        assert part in sentence and "save it" in sentence
        assert "\n" not in sentence


def test_rare_characters_become_one():
    text = "aaabbbccd"
    assert fold_rare(text, 0) == fold_rare(text, 1) == text
    assert fold_rare(text, 2) == "aaabbbcc\ufffd"
    assert fold_rare(text, 3) == "aaabbb\ufffd\ufffd\ufffd"


@pytest.mark.parametrize("text", ["aaabbbccd", "abcdefgh", "aabbc\ufffd"], ids=ascii)
@pytest.mark.parametrize("most", [2, 3, 4])
def test_the_lowest_count_that_fits_a_vocabulary_is_found(text, most):
    count = count_that_fits(text, most)
    assert len(set(fold_rare(text, count))) <= most
    assert count == 0 or len(set(fold_rare(text, count - 1))) > most


def test_a_text_with_many_rare_characters_has_a_warning():
    rare = "".join(map(chr, range(0x4E00, 0x4E00 + 120)))
    [warning] = text_warnings("common words " * 10 + rare)
    assert "120 of them occur fewer than 5 times" in warning and "--rare 5" in warning
    assert text_warnings(fold_rare("common words " * 10 + rare, 5)) == []


def test_the_error_for_utf_16_with_a_byte_order_mark_says_what_to_do(tmp_path):
    (tmp_path / "text.txt").write_bytes("some words".encode("utf-16"))
    with pytest.raises(DataError, match="it is not UTF-8 text; save it as UTF-8"):
        read_text(tmp_path / "text.txt")
