from microgpt.checkpoint.runs import bundled_runs, table
from microgpt.cli import main


def test_the_table_of_the_runs_is_printed(capsys):
    assert main(["runs"]) == 0
    assert capsys.readouterr().out == table(bundled_runs()) + "\n"
