import os
import select
import shutil
import subprocess

import pytest
import torch

from microgpt.engine import compiled, seconds
from microgpt.engine.compiled import compiled_backend

needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")


@needs_compiler
def test_with_a_compiler_there_is_a_compiled_backend(half_model):
    def timed(backend, texts):
        return seconds(backend, half_model.config, texts)

    assert compiled_backend(half_model, timed)


@pytest.mark.skipif(os.name == "nt", reason="needs a shell script")
def test_with_a_failing_compiler_there_is_no_compiled_step(half_model, monkeypatch, tmp_path):
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    compiled.load_library.cache_clear()
    backend = compiled_backend(half_model, lambda *timed: 1.0)
    compiled.load_library.cache_clear()
    assert backend is None


@pytest.mark.skipif(os.name == "nt", reason="needs a shell script")
def test_a_compiler_that_takes_too_long_is_ended_with_its_processes(monkeypatch, tmp_path):
    """The process that the compiler started has the pipe open as long as it lives."""
    pipe, script = tmp_path / "pipe", tmp_path / "cc"
    os.mkfifo(pipe)
    script.write_text(f"#!/bin/sh\nsleep 600 >{pipe} &\nwait\n")
    script.chmod(0o755)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    monkeypatch.setattr(compiled, "COMPILE_SECONDS", 5)  # until the script has opened the pipe
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            compiled._run([str(script)])
        readable, _, _ = select.select([reader], [], [], 60)
        assert readable and os.read(reader, 1) == b"", "no process has the pipe open"
    finally:
        os.close(reader)


@needs_compiler
def test_one_text_and_a_batch_each_have_the_team_that_is_fastest_for_them(half_model, monkeypatch):
    monkeypatch.setattr(compiled, "MOST_THREADS", 4)
    best = {1: None, compiled.BATCH: 4}

    def timed(backend, texts):
        team = backend.team if texts == 1 else backend.batch_team
        return 0.0 if (team and team.size) == best[texts] else 1.0

    backend = compiled_backend(half_model, timed)
    assert backend.team is None and backend.batch_team.size == 4
    assert backend.name == "C, 4 threads"


@needs_compiler
def test_weights_that_float16_cannot_hold_stay_float32(model, half_model):
    for each, dtype in ((model, torch.float32), (half_model, torch.float16)):
        backend = compiled_backend(each, lambda *timed: 1.0)
        assert backend.weights.dtype == dtype
        assert backend.weights.numel() > each.parameter_count(), "the vocabulary is padded"


@pytest.fixture
def counting_compiler(monkeypatch, tmp_path):
    """The compiler, with a cache folder of its own, and a list of the files that it made."""
    log, script = tmp_path / "log", tmp_path / "cc"
    real = shutil.which("cc")
    script.write_text(
        f'#!/bin/sh\ncase "$*" in *-shared*) echo 1 >>{log};; esac\nexec {real} "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))
    monkeypatch.setenv("MICROGPT_CACHE", str(tmp_path / "cache"))

    def compilations() -> int:
        compiled.load_library.cache_clear()
        assert compiled.load_library(True) is not None
        return log.read_text().count("1")

    yield compilations
    compiled.load_library.cache_clear()


@needs_compiler
@pytest.mark.skipif(os.name == "nt", reason="needs a shell script")
def test_the_compiled_file_is_kept_for_the_next_process(counting_compiler, tmp_path, monkeypatch):
    assert [counting_compiler(), counting_compiler()] == [1, 1]
    [kept] = (tmp_path / "cache").iterdir()
    # In another folder, because a process loads a file only once.
    damaged = tmp_path / "damaged" / kept.name
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"damaged")
    monkeypatch.setenv("MICROGPT_CACHE", str(tmp_path / "damaged"))
    assert [counting_compiler(), counting_compiler()] == [2, 2]
    assert damaged.read_bytes() == kept.read_bytes()


@needs_compiler
@pytest.mark.skipif(os.name == "nt", reason="needs a shell script")
def test_a_cache_folder_that_others_can_write_is_not_used(counting_compiler, tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(0o777)
    assert [counting_compiler(), counting_compiler()] == [1, 2]
    assert not list(folder.iterdir())
