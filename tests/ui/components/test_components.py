"""The files of the browser components, and the numbers that they are sent."""

import base64
import re
from pathlib import Path

import numpy as np
import pytest

from microgpt.ui import components
from microgpt.ui.charts import style
from microgpt.ui.components import in_base64

FOLDER = Path(components.__file__).parent
SHARED = (FOLDER / "shared.js").read_text(encoding="utf-8")
SCRIPTS = sorted(FOLDER.glob("*/*.js"))


def declared(script):
    """The names that a script declares outside functions."""
    names = []
    for keyword, line in re.findall(r"^(const|let|function) (.*)", script, re.MULTILINE):
        rest = re.sub(r"\([^()]*\)", "", line)  # without parameters and their defaults
        names += re.findall(r"^\w+" if keyword == "function" else r"(?:^|, )(\w+) =", rest)
    return names


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_has_one_export_and_declares_a_name_once(path):
    """The browser does not load a script that declares a name twice."""
    code = "".join(each.read_text(encoding="utf-8") for each in path.parent.glob("*.py"))
    uses = re.findall(r'"(\w+\.js)"', code)
    script = components.sources(path.parent.name, path.stem, uses)["js"]
    assert len(re.findall(r"^export default function", script, re.MULTILINE)) == 1
    names = declared(script)
    assert sorted(names) == sorted(set(names)) and len(names) >= len(declared(SHARED))


def test_all_shared_code_is_used():
    scripts = SHARED + "".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*/*.js"))
    for name in declared(SHARED):
        assert len(re.findall(rf"\b{name}\b", scripts)) > 1, name


def rgb(colour):
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def test_a_component_is_made_from_the_files_of_its_folder():
    scrubber = components.sources("scrubber", "scrubber")
    images = components.sources("head_grid", "head_images")
    assert scrubber["html"].startswith("<div") and ".scrubber" in scrubber["css"]
    assert images["html"] is None and images["css"] is None
    for files in (scrubber, images):
        assert SHARED in files["js"] and files["js"].count("export default") == 1
    colours = f"const BELOW_0 = {rgb(style.BELOW_0)}, ABOVE_0 = {rgb(style.ABOVE_0)};"
    assert all(files["js"].startswith(colours) for files in (scrubber, images))
    life = components.sources("life", "life", ["playback.js", "playback.css"])
    for ending in ("js", "css"):
        used = (FOLDER / f"playback.{ending}").read_text(encoding="utf-8")
        assert used in life[ending] and used not in scrubber[ending]
    with pytest.raises(FileNotFoundError):
        components.sources("nothing", "nothing")


def test_numbers_are_sent_as_float32_or_as_bytes():
    values = np.array([[1.5, -2.0], [0.1, 300.0]])
    read = np.frombuffer(base64.b64decode(in_base64(values)), "<f4")
    assert read.tolist() == values.astype(np.float32).ravel().tolist()
    assert list(base64.b64decode(in_base64([1, 255], "u1"))) == [1, 255]


def test_numbers_are_sent_row_by_row():
    maps = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)
    assert list(base64.b64decode(in_base64(maps, "u1"))) == [1, 2, 3, 4, 5, 6]
    turned = maps.transpose(0, 2, 1)
    assert in_base64(turned, "u1") == in_base64(turned.copy(), "u1")
