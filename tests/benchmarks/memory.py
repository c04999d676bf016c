"""Memory of the app while one visitor opens each page, printed as JSON in MiB (Linux only).

Run: python tests/benchmarks/memory.py
"""

import json

from serving import chromium, served

ATTENTION = "attention?attention_view=All+heads&text="
PAGES = {
    "generate": ("", "characters after the prompt"),
    "attention, 256 characters": (ATTENTION + "the%20sea" * 32, "attention weight"),
    "loss record": ("loss_record", "best estimate"),
}


def main() -> None:
    measured = {}
    with served() as server, chromium() as browser:
        page = browser.new_page()
        for name, (path, content) in PAGES.items():
            page.goto(f"{server.url}/{path}")
            page.get_by_text(content).first.wait_for(timeout=120_000)
            measured[name] = server.mib()
        measured["peak"] = server.mib("VmHWM")
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
