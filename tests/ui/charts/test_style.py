from microgpt.ui.charts.style import menu


def test_the_menu_saves_the_given_format_and_name():
    assert menu("a")["toImageButtonOptions"]["format"] == "svg"
    options = menu("a", "png")["toImageButtonOptions"]
    assert (options["format"], options["filename"]) == ("png", "a")
