from microgpt.checkpoint.provenance import command_line


def test_absolute_paths_are_reduced_to_their_names():
    arguments = [
        "train",
        "--data",
        "/home/me/my texts/a.txt",
        "--out=/home/me/a=b",
        "--da=/tmp/x.txt",
    ]
    assert command_line(arguments) == ("python -m microgpt train --data a.txt --out=a=b --da=x.txt")
    assert command_line(["train", "--out", "/home/me/a=b"]) == "python -m microgpt train --out a=b"


def test_other_arguments_are_not_changed():
    arguments = [
        "train",
        "--data",
        "texts/a b.txt",
        "--out",
        "../runs/b",
        "--set=steps=2",
        "--out",
        "/",
    ]
    assert command_line(arguments) == (
        "python -m microgpt train --data 'texts/a b.txt' --out ../runs/b --set=steps=2 --out /"
    )


def test_the_command_of_a_resumed_run_is_that_of_its_start():
    assert command_line(["train", "--resume", "--out", "a"]) == command_line(
        ["train", "--out", "a"]
    )
