"""The browser component with a button that copies the link to the page."""

from microgpt.ui.components import component

_COPY_LINK = component("copy_link")


def copy_link(key: str) -> None:
    """Show a button that copies the address of the page, with the values of its controls."""
    _COPY_LINK(key=key, data={})
