"""What a page under Streamlit's own test runner shows, and what is done with it."""

import base64
import json
import re
from pathlib import Path

import numpy as np
from streamlit.components.v2.bidi_component.main import _make_trigger_id

APP = Path(__file__).parents[2] / "app.py"
# The tabs of the Loss record page.
CURVES, SNAPSHOTS, BASELINES = "Curves", "Snapshots", "Baselines"
COMPARE, MEASURE = "Compare runs", "Measure your text"
PAGES = ["pages/generate.py", "pages/attention.py", "pages/loss_record.py"]
# The titles of all pages by their scripts, as app.py lists them.
NAVIGATION = dict(
    re.findall(r'st\.Page\(\s*"([^"]+)",\s*title="([^"]+)"', APP.read_text(encoding="utf-8"))
)


def errors(app):
    return [error.value.replace("\\", "") for error in app.error]


def open_file(app, noun, content):
    """Upload noun.json to a page: bytes or text as they are, other values as JSON."""
    data = content if isinstance(content, bytes | str) else json.dumps(content)
    data = data.encode() if isinstance(data, str) else data
    app.file_uploader(f"opened_{noun}").upload(f"{noun}.json", data).run()
    assert not app.exception
    return app


def press(app, label):
    next(button for button in app.button if button.label == label).click().run()


def shown_texts(app):
    """The texts that answer hover and tap: what stands before each, and its characters."""
    texts = []
    for element in app.get("bidi_component"):
        data = json.loads(element.proto.json)
        if "records" in data:
            rows = np.frombuffer(base64.b64decode(data["records"]), "<u2")
            ids = rows.reshape(-1, 6 + 2 * data["alternatives"])[:, 0]
            texts.append((data["before"], "".join(data["characters"][i] for i in ids)))
    return texts


def written(app):
    return "".join(shown_texts(app)[0])


def provenance(app):
    shown = " ".join(e.value for e in [*app.sidebar.markdown, *app.sidebar.caption])
    return shown.replace("\\", "")


def on_tab(app, tab, page=PAGES[1], key="attention_view"):
    app.run()
    app.switch_page(page).run()
    app.session_state[key] = tab
    return app.run()


def title(app):
    names = ("Layer ", "Mean of ")
    return next(each.value for each in app.subheader if each.value.startswith(names))


def captions(app):
    return " ".join(caption.value for caption in app.caption)


def component(app):
    return json.loads(app.get("bidi_component")[0].proto.json)


def trigger(app, event, value, at=0):
    """Send an event from the component with this index, as its JavaScript does, and run the page.

    Streamlit's test runner has no public way to do this.
    """
    widget = _make_trigger_id(app.get("bidi_component")[at].proto.id, "events")
    states = app._tree.get_widget_states()
    states.widgets.add(id=widget, json_trigger_value=json.dumps([{"event": event, "value": value}]))
    return app._run(states)


def overview(app):
    return app.get("bidi_component")[1].proto.bytes


def drawn(app):
    return [chart.proto.spec for chart in app.get("plotly_chart")]


def turn_to(app, view):
    if app.title[0].value != "Loss record":
        app.switch_page("pages/loss_record.py").run()
    app.session_state["record_view"] = view
    app.run()
    assert not app.exception
    return app


def views(app):
    return [tab.label for tab in app.tabs]


def chart(app, at=0):
    return app.get("plotly_chart")[at].proto.spec


def scrubber(app):
    return json.loads(app.get("bidi_component")[0].proto.json)
