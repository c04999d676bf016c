"""A client without a browser, which uses Streamlit's websocket as its frontend does."""

import time
from typing import Any
from urllib.parse import urlsplit

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

    def request(self) -> None:
        """Ask for a rerun, without reading what the app answers."""
        message = BackMsg()
        message.rerun_script.query_string = self._query
        message.rerun_script.page_name = self._page
        self._socket.send(message.SerializeToString())

    def run(self) -> float:
        """Rerun the page, as the R key does, and return the seconds until the script finishes.

        Raises RuntimeError if the page shows an exception.
        """
        started = time.perf_counter()
        self.request()
        while True:
            forward = ForwardMsg()
            forward.ParseFromString(self._socket.recv())
            if forward.delta.new_element.HasField("exception"):
                raise RuntimeError(forward.delta.new_element.exception.message)
            if forward.WhichOneof("type") != "script_finished":
                continue
            if forward.script_finished != _FINISHED_EARLY:
                return time.perf_counter() - started
