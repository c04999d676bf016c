"""The link of a page; tests/browser/test_history.py goes back and forward in a browser."""

from streamlit.testing.v1 import AppTest


def link_page():
    import streamlit as st

    from microgpt.ui.history import link, restore_link, stepped

    restore_link()
    st.session_state["found"] = (link(), stepped())


def test_a_link_has_all_values_of_a_parameter_and_an_ordinary_run_keeps_them():
    app = AppTest.from_function(link_page)
    app.query_params["head"] = "2"
    app.query_params["off_1"] = ["H1", "H3"]
    app.run()
    assert not app.exception
    assert app.session_state["found"] == ({"head": ["2"], "off_1": ["H1", "H3"]}, False)


def back_page():
    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    from microgpt.ui.history import link, restore_link, stepped

    # What Streamlit sets for a run after Back, where it has removed `head` from the parameters.
    context = get_script_run_ctx()
    assert context.is_history_navigation is False and context.query_string is not None
    context.is_history_navigation = True
    context.query_string = "head=2&off_1=H1&off_1=H3"
    restore_link()
    head = st.selectbox("Head", [1, 2, 3], key="head", bind="query-params")
    st.session_state["found"] = (link(), stepped(), head)


def test_after_back_the_link_of_the_entry_and_its_controls_are_restored():
    app = AppTest.from_function(back_page)
    app.query_params["off_1"] = ["H1", "H3"]
    app.run()
    assert not app.exception
    assert app.session_state["found"] == ({"head": ["2"], "off_1": ["H1", "H3"]}, True, 2)
