from microgpt.checkpoint.provenance import command_line


def test_a_command_tells_no_folders_of_its_author():
    arguments = [
        "train",
        "--data",
        "/home/me/my texts/a.txt",
        "--out=/home/me/a=b",
        "--da=/tmp/x.txt",
    ]
    assert command_line(arguments) == ("python -m microgpt train --data a.txt --out=a=b --da=x.txt")
    assert command_line(["train", "--out", "/home/me/a=b"]) == "python -m microgpt train --out a=b"


def test_a_command_is_otherwise_as_it_was_typed():
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


def test_a_resumed_run_tells_the_command_it_was_started_with():
    assert command_line(["train", "--resume", "--out", "a"]) == command_line(
        ["train", "--out", "a"]
    )
