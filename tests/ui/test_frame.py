"""What is shown before PyTorch is loaded."""

import re
import subprocess
import sys

from microgpt.ui.frame import theme_style
from tests.ui.pages import APP, GENERATE, TITLES


def test_the_colours_of_the_frame_are_those_of_the_theme():
    assert theme_style() == (
        "<style>:root { --page: light-dark(#fcfbf8, #15181c); "
        "--ink: light-dark(#23272e, #e8e4da); }</style>"
    )
    layout = (APP.parent / "assets" / "layout.css").read_text(encoding="utf-8")
    assert not re.findall(r"#[0-9a-f]{3,8}\b", layout)


WITHOUT_TORCH = """
import sys
from streamlit.testing.v1 import AppTest

sys.modules["torch"] = None  # importing it fails
app = AppTest.from_file(sys.argv[1], default_timeout=600)
app.run()
assert app.exception
print(app.title[0].value)
"""


def test_the_title_is_shown_before_pytorch_is_loaded():
    command = [sys.executable, "-c", WITHOUT_TORCH, str(APP)]
    run = subprocess.run(command, cwd=APP.parent, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == TITLES[GENERATE]  # after the traceback
