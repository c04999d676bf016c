"""A client without a browser, which uses Streamlit's websocket as its frontend does."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

# Value of ForwardMsg.script_finished for a run that ended early because a rerun was requested.
_FINISHED_EARLY = ForwardMsg.FINISHED_EARLY_FOR_RERUN


class Visitor:
    """One session of a running app, which ends with the block."""

    def __init__(self, url: str, page: str = "", query: str = "", cookie: str = ""):
        """Connect to the app at url. page: the path of the page, without the leading slash."""
        self._page, self._query = page, query
        self.buttons: dict[str, str] = {}  # the ids of the buttons that were shown, by label
        host = urlsplit(url).netloc
        self._connection = connect(
            f"ws://{host}/_stcore/stream",
            subprotocols=["streamlit"],
            additional_headers={"Cookie": cookie} if cookie else {},
            max_size=None,
            ping_interval=None,  # a loaded server may answer late
        )

    def __enter__(self) -> "Visitor":
        self._socket = self._connection.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._connection.__exit__(*exception)

    def request(self, button: str | None = None) -> None:
        """Ask for a rerun, without reading what the app answers.

        button: the label of a button to press; it must have been shown.
        """
        message = BackMsg()
        message.rerun_script.query_string = self._query
        message.rerun_script.page_name = self._page
        if button is not None:
            pressed = message.rerun_script.widget_states.widgets.add()
            pressed.id, pressed.trigger_value = self.buttons[button], True
        self._socket.send(message.SerializeToString())

    def answers(self) -> Iterator[ForwardMsg]:
        """Yield the messages of the app until its script finishes.

        Raises RuntimeError if the page shows an exception or an error.
        """
        while True:
            forward = ForwardMsg()
            forward.ParseFromString(self._socket.recv())
            element = forward.delta.new_element
            if element.HasField("exception"):
                raise RuntimeError(element.exception.message)
            if element.HasField("alert") and element.alert.format == Alert.ERROR:
                raise RuntimeError(element.alert.body)
            if element.HasField("button"):
                self.buttons[element.button.label] = element.button.id
            yield forward
            ended = forward.WhichOneof("type") == "script_finished"
            if ended and forward.script_finished != _FINISHED_EARLY:
                return

    def run(self, button: str | None = None) -> float:
        """Rerun the page, as the R key does, and return the seconds until the script finishes.

        button: as for request. Raises RuntimeError as answers does.
        """
        started = time.perf_counter()
        self.request(button)
        for _ in self.answers():
            pass
        return time.perf_counter() - started
