import signal
import subprocess
import sys
from pathlib import Path

import pytest

from microgpt.training.interrupt import Interrupt


def test_the_first_interrupt_is_a_request_and_the_second_raises():
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with Interrupt():
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(signal.SIGINT)
        assert not interrupt.requested
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_the_tests_can_be_run_in_the_background():
    """A shell without job control starts background jobs with SIGINT ignored."""
    test = f"{__file__}::{test_the_first_interrupt_is_a_request_and_the_second_raises.__name__}"
    pytest_command = f'"{sys.executable}" -m pytest -q -n0 "{test}"'
    done = subprocess.run(
        ["sh", "-c", f"{pytest_command} & wait $!"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
