"""What the page's stream costs on top of the engine alone, on the server, printed as JSON.

Run: python tests/benchmarks/stream.py

Both write the same characters in this process: first the bare iterator, then the Generate page,
through Streamlit's own script runner, which packs, hashes and queues every message for a browser.
"""

import json
import statistics
import sys
import time
from pathlib import Path

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from microgpt.generate import generate, start_ids  # noqa: E402
from microgpt.sampling import SamplingConfig  # noqa: E402
from microgpt.ui import cache  # noqa: E402

PROMPT, LENGTH, ROUNDS = "FIRST SAILOR:\n", 2000, 5


def bare() -> float:
    """Characters/s of the iterator alone, from the first character on."""
    checkpoint = cache.bundled().checkpoint
    ids = start_ids(checkpoint.tokenizer, PROMPT)
    decoder = checkpoint.engine.decoder()
    stream = generate(decoder, checkpoint.tokenizer, ids, LENGTH, SamplingConfig())
    next(stream)
    started = time.perf_counter()
    for _ in stream:
        pass
    return (LENGTH - 1) / (time.perf_counter() - started)


def page(app: AppTest) -> float:
    """Characters/s that the page itself measured."""
    next(button for button in app.button if button.label == "Write").click().run()
    written = app.session_state["written"]
    if app.exception or written.count != LENGTH:
        raise SystemExit(f"the page did not write {LENGTH} characters")
    return written.rate


def main() -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=600)
    app.query_params["prompt"] = PROMPT
    app.query_params["length"] = str(LENGTH)
    app.run()
    pairs = [(bare(), page(app)) for _ in range(ROUNDS)]
    ratios = [alone / streamed for alone, streamed in pairs]
    result = {
        "characters": LENGTH,
        "engine, characters/s": [round(alone) for alone, _ in pairs],
        "page, characters/s": [round(streamed) for _, streamed in pairs],
        "cost on top": f"{statistics.median(ratios) - 1:.0%}",
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
