"""Take the pictures of the README from the app with its bundled checkpoint.

Run: python -m tests.pictures
"""

import io
from pathlib import Path

from PIL import Image

from tests.benchmarks.serving import ROOT, chromium, served
from tests.browser.driving import visit

FOLDER = ROOT / "assets" / "readme"
SIZE = {"width": 1280, "height": 800}
# For each picture: the link, the heading of the page, and what is drawn last.
PICTURES = {
    "generate": ("/", "Generate", ".tokens .page"),
    "attention": ("/attention", "Attention", ".life .text span"),
    "inside": ("/inside", "Inside", ".model-flow .row[data-token]"),
    "cross_attention": ("/cross_attention", "Cross-attention", ".translation .map"),
    "loss_record": ("/loss_record?record_view=Snapshots", "Loss record", ".scrubber .map"),
}


def take(folder: Path) -> None:
    """Write one PNG file for each of PICTURES."""
    with served() as server, chromium() as browser:
        for name, (link, heading, drawn) in PICTURES.items():
            page = browser.new_page(viewport=SIZE)
            visit(page, server.url + link, heading)
            page.locator(drawn).first.wait_for()
            page.evaluate("document.fonts.ready")
            picture = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
            # Few cells have the brightest colour of a scale; this method keeps it. A step of
            # k-means gives the large areas their exact colours.
            few = picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1)
            few.save(folder / f"{name}.png", optimize=True)
            page.close()


if __name__ == "__main__":
    take(FOLDER)
