"""A repo on the Hub that a visitor names."""

from tests.ui.pages import errors, generated_texts, press, sidebar_text


def test_a_malformed_repo_is_an_error_and_the_page_stays(app):
    app.run()
    app.sidebar.text_input[0].set_value("no repo at all").run()
    assert not app.exception and len(generated_texts(app)) == 1
    assert "user/name" in errors(app)[0]


def test_a_visitor_is_told_that_others_needed_the_memory(
    app, server, tiny_checkpoint, open_as_another_visitor
):
    commit = server.add("someone/mine", tiny_checkpoint)
    server.add("someone/theirs", tiny_checkpoint)
    app.query_params["repo"] = "someone/mine"
    assert commit[:12] in sidebar_text(app.run())
    open_as_another_visitor("someone/theirs")
    app.run()
    assert errors(app) == [
        "someone/mine was closed to make room for other visitors; try again. "
        f"The page shows: {tiny_checkpoint.name}."
    ]
    press(app, "Try again")
    assert not app.error and commit[:12] in sidebar_text(app)
