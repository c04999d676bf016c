import pytest

from microgpt.cli.progress import Bars, download_bar, progress_bar


def test_a_bar_shows_its_title_and_the_fraction_done(capsys):
    with progress_bar("heads") as show:
        show(1, 4)
        assert "heads:  25%" in capsys.readouterr().err
        show(4, 4)
    err = capsys.readouterr().err
    assert "heads: 100%" in err and err.endswith("\n")


def test_an_error_ends_the_line_of_the_bar(capsys):
    with pytest.raises(KeyboardInterrupt), progress_bar("heads") as show:
        show(1, 4)
        raise KeyboardInterrupt
    assert capsys.readouterr().err.endswith("\n")


def test_a_new_title_starts_a_new_line(capsys):
    bars = Bars()
    bars.show("first", 1, 2)
    bars.show("second", 1, 2, note="loss 2.5")
    bars.close()
    first, second, rest = capsys.readouterr().err.split("\n")
    assert "first:  50%" in first and "second" not in first
    assert "second:  50%" in second and "loss 2.5" in second and rest == ""


def test_a_download_has_a_bar_only_if_there_is_something_to_download(capsys):
    with download_bar("someone/model") as show:
        show(0, 0)
    assert capsys.readouterr().err == ""
    with download_bar("someone/model") as show:
        show(0, 0)
        show(2000, 2000)
    assert "someone/model: 100%" in capsys.readouterr().err
