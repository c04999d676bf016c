"""What the server accepts from anyone; the limits are in .streamlit/config.toml."""

import http.client
import tomllib
from urllib.parse import urlsplit

import numpy as np
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from microgpt.analysis.attention import MAX_POSITIONS
from microgpt.ui.charts.attention import MAP_SCALES, attention_map
from microgpt.ui.components.scrubber.scrubber import MAX_BYTES
from microgpt.ui.server import UPLOADED_BYTES
from tests.browser.conftest import ROOT

LIMITS = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["server"]
TOO_BIG = 1009  # the close code of RFC 6455, section 7.4.1


@pytest.fixture(scope="module")
def server(server):
    return urlsplit(server)


def frame(size):
    """A message of the browser with a text of this size."""
    message = BackMsg()
    widget = message.rerun_script.widget_states.widgets.add()
    widget.id, widget.string_value = "text", "a" * size
    return message.SerializeToString()


def visitor(server):
    """Connect to the app as a browser does, with compression."""
    address = f"ws://{server.netloc}/_stcore/stream"
    return connect(address, subprotocols=["streamlit"], max_size=None)


def close_code(server, message):
    """Send a compressed message and return the code with which the server closes the socket."""
    with visitor(server) as socket:
        socket.send(message)
        try:
            while True:
                socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd and closed.rcvd.code


@pytest.mark.parametrize("limit", ["maxMessageSize", "maxWidgetStateSize"])
def test_a_message_that_decompresses_to_more_than_a_limit_is_refused(server, limit):
    assert close_code(server, frame(LIMITS[limit] * 10**6)) == TOO_BIG


@pytest.mark.parametrize("scale", MAP_SCALES)
def test_the_largest_map_fits_into_a_message(scale):
    weights = np.random.default_rng(0).dirichlet(np.full(MAX_POSITIONS, 0.1), size=MAX_POSITIONS)
    chart = attention_map(weights, "e" * MAX_POSITIONS, scale).to_json()
    assert len(chart) < 0.9 * LIMITS["maxMessageSize"] * 10**6


def test_the_largest_snapshots_fit_into_a_message():
    as_base64 = MAX_BYTES * 4 / 3
    assert as_base64 < 0.9 * LIMITS["maxMessageSize"] * 10**6


def session_of(socket):
    """Run the page and return the id of the session."""
    run = BackMsg()
    run.rerun_script.query_string = ""
    socket.send(run.SerializeToString())
    while True:
        message = ForwardMsg()
        message.ParseFromString(socket.recv())
        if message.HasField("new_session"):
            return message.new_session.initialize.session_id


def upload(server, session, number, body=b"", **headers):
    """Send a file to a session as a browser does, and return the status of the answer."""
    connection = http.client.HTTPConnection(server.netloc)
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    address = f"/_stcore/upload_file/{session}/{number}"
    connection.request("PUT", address, body or None, kind | headers)
    status = connection.getresponse().status
    connection.close()
    return status


def form(size):
    """A form with a file of this size."""
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return head + bytes(size) + b"\r\n--x--\r\n"


def test_an_upload_that_is_too_large_is_refused_before_it_arrives(server):
    size = LIMITS["maxUploadSize"] * 2**20
    with visitor(server) as socket:
        session = session_of(socket)
        assert upload(server, session, 1, **{"Content-Length": str(size + 1)}) == 413
        assert upload(server, session, 2, **{"Transfer-Encoding": "chunked"}) == 411
        assert upload(server, session, 3, **{"Content-Length": str(UPLOADED_BYTES + 1)}) == 503


def test_all_uploads_together_are_limited(server):
    size = 15 * 2**20
    with visitor(server) as socket:
        session = session_of(socket)
        answers = [upload(server, session, each, form(size)) for each in range(10)]
    most = UPLOADED_BYTES // size
    assert answers == [204] * most + [503] * (10 - most)
