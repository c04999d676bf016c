import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Free a block of 16 MiB, then most of twenty blocks of 8 MiB. By default, glibc keeps freed blocks
# that are smaller than the largest one freed before.
FREED = """
import re
import numpy as np
import microgpt.ui.cache.results

def resident():
    with open("/proc/self/status") as status:
        return int(re.search(r"VmRSS:\\s+(\\d+) kB", status.read())[1]) // 1024

np.ones(2**21)
before = resident()
blocks = [np.ones(2**20) for _ in range(20)]
full = resident()
del blocks[:-1]
print(full - before, resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_freed_arrays_are_returned_to_the_system():
    run = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    full, rest = map(int, run.stdout.split())
    assert full >= 160 and rest < 30, "MiB of twenty arrays, then of one"


FROZEN = """
import gc
from streamlit.testing.v1 import AppTest

app = AppTest.from_file("app.py", default_timeout=600)
counts = []
for _ in range(3):
    app.run()
    assert not app.exception
    counts.append(gc.get_freeze_count())
print(*counts)
"""


def test_the_objects_of_the_first_run_are_frozen_once():
    command = [sys.executable, "-c", FROZEN]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    first, *later = map(int, run.stdout.split())
    assert first > 100_000
    assert all(count <= first for count in later)
