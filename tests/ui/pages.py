"""Open the pages of the app under Streamlit's own test runner, and read what they show."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.testing.v1 import AppTest

APP = Path(__file__).parents[2] / "app.py"
GENERATE, ATTENTION, INSIDE, CROSS_ATTENTION, LOSS_RECORD, TRAIN = (
    f"pages/{name}.py"
    for name in ("generate", "attention", "inside", "cross_attention", "loss_record", "train")
)
TIMEOUT_S = 600  # so high that only a run that hangs reaches it
# The key of the control that holds a page's open tab.
TAB_KEYS = {
    GENERATE: "view",
    ATTENTION: "attention_view",
    INSIDE: "inside_view",
    LOSS_RECORD: "record_view",
}
# The tabs of the Loss record page.
CURVES, SNAPSHOTS, BASELINES = "Curves", "Snapshots", "Baselines"
COMPARE = "Compare runs"
# The title of each page by its script, as app.py lists them.
TITLES = dict(
    re.findall(r'st\.Page\(\s*"([^"]+)",\s*title="([^"]+)"', APP.read_text(encoding="utf-8"))
)


def new_app(script: Path = APP) -> AppTest:
    """A new session of the app, not run yet."""
    return AppTest.from_file(script, default_timeout=TIMEOUT_S)


def run_script(script: Callable[..., None], *args: Any) -> AppTest:
    """Run a function as the script of a page of its own."""
    app = AppTest.from_function(script, args=args, default_timeout=TIMEOUT_S).run()
    assert not app.exception
    return app


def open_page(app: AppTest, page: str) -> AppTest:
    """Open a page from any other one, or as the first."""
    app.switch_page(page).run()
    assert not app.exception
    return app


def open_tab(app: AppTest, page: str, tab: str) -> AppTest:
    """Open a tab of a page, from any other page or as the first."""
    if not app.title or app.title[0].value != TITLES[page]:
        open_page(app, page)
    if app.session_state[TAB_KEYS[page]] != tab:
        app.session_state[TAB_KEYS[page]] = tab
        app.run()
    assert not app.exception
    return app


def open_file(app: AppTest, noun: str, content: Any) -> AppTest:
    """Upload noun.json to a page: bytes or text as they are, other values as JSON."""
    data = content if isinstance(content, bytes | str) else json.dumps(content)
    data = data.encode() if isinstance(data, str) else data
    app.file_uploader(f"opened_{noun}").upload(f"{noun}.json", data).run()
    assert not app.exception
    return app


def press(app: AppTest, label: str) -> None:
    """Press the button with this label."""
    next(button for button in app.button if button.label == label).click().run()


def errors(app: AppTest) -> list[str]:
    """The error messages, without the escapes of Markdown."""
    return [error.value.replace("\\", "") for error in app.error]


def captions(app: AppTest) -> str:
    """The captions, without the definitions of terms."""
    return " ".join(re.sub("<[^>]*>", "", caption.value) for caption in app.caption)


def tabs(app: AppTest) -> list[str]:
    return [tab.label for tab in app.tabs]


def sidebar_text(app: AppTest) -> str:
    """The text of the sidebar, without the escapes of Markdown."""
    parts = [each.value for each in [*app.sidebar.markdown, *app.sidebar.caption]]
    return " ".join(parts).replace("\\", "")


def charts(app: AppTest) -> list[str]:
    """The JSON of each chart."""
    return [chart.proto.spec for chart in app.get("plotly_chart")]


def component(app: AppTest, at: int = 0) -> dict[str, Any]:
    """The data of a component by its index."""
    return json.loads(app.get("bidi_component")[at].proto.json)


def trigger(app: AppTest, event: str, value: Any, at: int = 0) -> AppTest:
    """Send an event from the component with this index, as its JavaScript does, and run the page.

    Streamlit's test runner has no public way to do this.
    """
    widget = _make_trigger_id(app.get("bidi_component")[at].proto.id, "events")
    states = app._tree.get_widget_states()
    states.widgets.add(id=widget, json_trigger_value=json.dumps([{"event": event, "value": value}]))
    return app._run(states)


def generated_texts(app: AppTest) -> list[tuple[str, str]]:
    """The prompt and the characters of each text whose characters can be pointed at."""
    texts = []
    for element in app.get("bidi_component"):
        data = json.loads(element.proto.json)
        if "records" in data:
            rows = np.frombuffer(base64.b64decode(data["records"]), "<u2")
            ids = rows.reshape(-1, 6 + 2 * data["alternatives"])[:, 0]
            texts.append((data["before"], "".join(data["characters"][i] for i in ids)))
    return texts


def first_text(app: AppTest) -> str:
    """The first text on the page, prompt included."""
    return "".join(generated_texts(app)[0])


def map_title(app: AppTest) -> str:
    """The title of the attention map."""
    names = ("Layer ", "Mean of ")
    return next(each.value for each in app.subheader if each.value.startswith(names))


def grid_image(app: AppTest) -> bytes:
    """The picture of all heads on the Attention page."""
    return app.get("bidi_component")[1].proto.bytes
