"""The files of the browser components."""

import re
from pathlib import Path

import pytest

from microgpt.ui import components

FOLDER = Path(components.__file__).parent
SHARED = (FOLDER / "shared.js").read_text(encoding="utf-8")
SCRIPTS = sorted(path for path in FOLDER.glob("*/*.js"))
DEFINED = re.compile(r"^(?:const|let|function) (\w+)", re.MULTILINE)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_has_one_export_and_no_name_of_the_shared_code(path):
    script = path.read_text(encoding="utf-8")
    assert len(re.findall(r"^export default function", script, re.MULTILINE)) == 1
    assert not set(DEFINED.findall(script)) & set(DEFINED.findall(SHARED))


def test_all_shared_code_is_used():
    scripts = SHARED + "".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    for name in DEFINED.findall(SHARED):
        assert len(re.findall(rf"\b{name}\b", scripts)) > 1, name


def test_a_component_is_made_from_the_files_of_its_folder():
    scrubber = components.sources("scrubber", "scrubber")
    images = components.sources("head_grid", "head_images")
    assert scrubber["html"].startswith("<div") and ".scrubber" in scrubber["css"]
    assert images["html"] is None and images["css"] is None
    for files in (scrubber, images):
        assert files["js"].startswith(SHARED) and files["js"].count("export default") == 1
    with pytest.raises(FileNotFoundError):
        components.sources("nothing", "nothing")
