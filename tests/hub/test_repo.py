import pytest

from microgpt.hub import HubError, RepoRef, parse_repo


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/b", RepoRef("a/b")),
        ("  a.b_c/d-e \n", RepoRef("a.b_c/d-e")),
        ("a/b@v1.0", RepoRef("a/b", "v1.0")),
        ("a/b@feature/x", RepoRef("a/b", "feature/x")),
        ("https://huggingface.co/a/b", RepoRef("a/b")),
        ("https://huggingface.co/a/b/tree/v1.0", RepoRef("a/b", "v1.0")),
    ],
)
def test_a_repo_is_parsed_from_its_name_or_its_url(text, expected):
    assert parse_repo(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gpt2",
        "a/b/c",
        "a/../b",
        "/a",
        "a b/c",
        "a/b@",
        "a/b@..",
        "a/b@../../etc",
        "a/b@/etc/passwd",
        "a/b@x y",
        "https://example.com/a/b",
        "https://huggingface.co/datasets/a/b",
        "https://[a/b",
        "x" * 10_000,
    ],
    ids=lambda text: text[:40],
)
def test_a_text_that_names_no_repo_is_refused(text):
    with pytest.raises(HubError, match="write user/name") as caught:
        parse_repo(text)
    assert len(str(caught.value)) < 200
