"""The app in a browser with a Hub on loopback, which may fail."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from microgpt import checkpoint
from microgpt.analysis.attention import attention_maps
from microgpt.checkpoint import Checkpoint
from microgpt.model import GPT
from microgpt.ui.charts.map_files import attention_csv
from tests.browser.driving import (
    download,
    generated_text,
    go_to,
    set_more,
    visit,
    wait_for_run,
    wait_for_text,
)
from tests.loopback_hub import LoopbackHub

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
REPO, OTHER_REPO, HOSTILE_REPO = "someone/verses", "someone/else", "someone/hostile"


@pytest.fixture
def hub():
    with LoopbackHub() as hub:
        yield hub


def app_copy(folder: Path, bundled: Path | None) -> Path:
    """Copy the app to a folder, with another bundled checkpoint or none."""
    for name in ("microgpt", "pages", ".streamlit", "assets"):
        skip = ("__pycache__", "checkpoint*") if name == "assets" else ("__pycache__",)
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*skip))
    shutil.copy(ROOT / "app.py", folder)
    if bundled is not None:
        shutil.copytree(bundled, folder / "assets" / "checkpoint")
    return folder


@pytest.fixture(scope="module")
def app(tiny_checkpoint, tmp_path_factory):
    """A copy of the app that bundles the small checkpoint."""
    return app_copy(tmp_path_factory.mktemp("hub pages") / "app", bundled=tiny_checkpoint)


class AppWithHub(NamedTuple):
    """A server that opens with its bundled checkpoint, and the Hub that it can reach."""

    url: str
    hub: LoopbackHub


@pytest.fixture(scope="module")
def app_with_hub(app_server, app, tmp_path_factory):
    environment = tmp_path_factory.mktemp("home")
    with LoopbackHub() as hub, app_server(hub.environment(environment), root=app) as url:
        yield AppWithHub(url, hub)


def test_a_trained_and_published_checkpoint_is_opened(page, app_server, hub, corpus_file, tmp_path):
    env = hub.environment(tmp_path)
    out = tmp_path / "mine"

    def run(*command: str) -> str:
        python = [sys.executable, "-m", *command]
        done = subprocess.run(python, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
        return done.stdout

    settings = ["steps=4", "n_layer=2", "n_head=2", "n_embd=16", "block_size=32", "eval_batches=1"]
    changes = [word for setting in settings for word in ("--set", setting)]
    run("microgpt", "train", "--data", str(corpus_file), "--out", str(out), *changes)
    printed = run("microgpt", "publish", "--checkpoint", str(out), "--repo", REPO)
    commit = re.search(r"commit ([0-9a-f]{40})", printed)[1]

    root = app_copy(tmp_path / "app", bundled=None)
    with app_server({**env, "MICROGPT_REPO": REPO}, root=root) as url:
        visit(page, url, "Generate")
        page.get_by_test_id("stSidebar").get_by_text(commit[:12]).wait_for()
        page.get_by_test_id("stSidebar").get_by_text("4 steps").wait_for()
        page.get_by_label("Prompt", exact=True).fill("ba do")
        set_more(page, Characters_to_write=40)
        page.get_by_test_id("stBaseButton-primary").click()
        page.get_by_text("40 characters after the prompt").wait_for()
        wait_for_run(page)
        assert len(generated_text(page)) >= 40
        go_to(page, "Attention")
        page.get_by_role("tab", name="All heads").click()
        heads = page.locator('button[aria-label^="Layer"]')
        heads.last.wait_for()
        assert heads.count() == 4


def test_the_page_stays_usable_if_the_hub_fails(
    page, app_server, hub, app, tiny_checkpoint, tmp_path
):
    hub.add(REPO, tiny_checkpoint)
    hub.fail("hang")
    again = page.get_by_role("button", name="Try again")
    note = page.get_by_test_id("stMain").get_by_test_id("stAlert")

    def usable(sentence):
        """Check that the page says what failed, shows the fallback and still writes."""
        note.get_by_text(sentence).wait_for()
        note.get_by_text("The page shows: words.txt").wait_for()
        wait_for_text(page, "t.length > 100")
        page.get_by_test_id("stSidebar").get_by_text("words.txt", exact=True).wait_for()
        again.wait_for()
        page.get_by_test_id("stBaseButton-primary").click()
        wait_for_run(page)

    env = {**hub.environment(tmp_path), "MICROGPT_REPO": REPO}
    with app_server(env, root=app) as url:
        visit(page, url, "Generate")
        usable("did not answer")
        for fault, method, name, sentence in (
            ("503", "", "", "503"),
            ("truncate", "GET", "model.safetensors", "broke before"),
            ("wrong bytes", "GET", "model.safetensors", "damaged"),
        ):
            hub.heal()
            hub.fail(fault, method, name)
            again.click()
            usable(sentence)
        hub.close()
        again.click()
        usable("cannot be reached")


def test_try_again_loads_a_repo_after_an_error(
    page, app_server, hub, app, tiny_checkpoint, tmp_path
):
    commit = hub.add(REPO, tiny_checkpoint)
    hub.fail("503")
    env = {**hub.environment(tmp_path), "MICROGPT_REPO": REPO}
    with app_server(env, root=app) as url:
        visit(page, url, "Generate")
        hub.heal()
        page.get_by_role("button", name="Try again").click()
        page.get_by_test_id("stSidebar").get_by_text(commit[:12]).wait_for()
        wait_for_run(page)


def test_tabs_share_a_download_that_ends_when_they_are_closed(
    new_page, app_with_hub, tiny_checkpoint
):
    url, hub = app_with_hub
    hub.add("someone/slow", tiny_checkpoint)
    hub.fail("slow", "GET", "someone/slow")
    tabs = [new_page() for _ in range(2)]
    for tab in tabs:
        tab.goto(f"{url}/?repo=someone%2Fslow")
        tab.get_by_text("Loading someone/slow").wait_for()
    assert hub.count("GET", "config.json") == 1
    for tab in tabs:
        tab.context.close()
    assert hub.gone.wait(60)
    hub.heal()


def test_only_the_visitor_who_names_a_repo_sees_it(page, new_page, app_with_hub, tiny_checkpoint):
    url, hub = app_with_hub
    commit = hub.add(REPO, tiny_checkpoint)
    visit(page, url, "Generate")
    sidebar = page.get_by_test_id("stSidebar")
    name = sidebar.get_by_label("Load another checkpoint", exact=True)
    name.fill("someone/missing")
    name.press("Enter")
    page.get_by_text("no public repo someone/missing").wait_for()
    sidebar.get_by_text("Not loaded yet").wait_for()
    wait_for_run(page)
    name.fill(REPO)
    name.press("Enter")
    sidebar.get_by_text(commit[:12]).wait_for()
    wait_for_run(page)
    go_to(page, "Loss record")
    sidebar.get_by_text(commit[:12]).wait_for()
    assert all(request.authorization is None for request in hub.requests)

    other = new_page()
    visit(other, url, "Generate")
    assert other.get_by_text(commit[:12]).count() == 0
    visit(other, f"{url}/?repo={REPO.replace('/', '%2F')}", "Generate")
    other.get_by_text(commit[:12]).wait_for()


def test_a_head_is_compared_with_the_head_of_a_repo(
    page, new_page, app_with_hub, tiny_checkpoint, tokenizer, loss_record, training, tmp_path
):
    url, hub = app_with_hub
    torch.manual_seed(1)
    other_model = GPT(checkpoint.load(tiny_checkpoint).config).eval()
    checkpoint.save(tmp_path / "other", Checkpoint(other_model, tokenizer, loss_record, training))
    commit = hub.add(OTHER_REPO, tmp_path / "other")
    query = "attention_view=Compare&text=ba&other_text=ba&compared_checkpoint=one+from+the+Hub"

    def maps(page):
        """The two CSV files of the page."""
        buttons = page.get_by_role("button", name="CSV", exact=True).all()
        return [download(button)[1].decode() for button in buttons]

    visit(page, f"{url}/attention?{query}", "Attention")
    main = page.get_by_test_id("stMain")
    main.get_by_text("words.txt", exact=True).nth(1).wait_for()
    name = main.get_by_label("Repo on the Hub", exact=True)
    name.fill("someone/missing")
    name.press("Enter")
    main.get_by_text("no public repo someone/missing").wait_for()
    wait_for_run(page)
    left, right = maps(page)
    assert left == right, "both show the same checkpoint at first"
    name.fill(OTHER_REPO)
    name.press("Enter")
    main.get_by_text(OTHER_REPO, exact=True).wait_for()
    wait_for_run(page)
    assert main.get_by_test_id("stAlert").count() == 0
    left_again, right = maps(page)
    weights = attention_maps(checkpoint.load(tmp_path / "other").model, tokenizer.encode("ba"))
    assert left_again == left and right != left
    columns = {"layer": 1, "head": 1}
    assert right == attention_csv(weights.weights[0, 0].numpy(), "ba", columns)
    assert page.get_by_test_id("stSidebar").get_by_text(commit[:12]).count() == 0
    assert all(request.authorization is None for request in hub.requests)

    other = new_page()
    visit(other, f"{url}/attention?{query}", "Attention")
    main = other.get_by_test_id("stMain")
    main.get_by_text("words.txt", exact=True).nth(1).wait_for()


def test_a_slow_download_shows_its_progress_and_a_fallback(
    page, app_server, hub, app, tiny_checkpoint, tmp_path
):
    hub.add(REPO, tiny_checkpoint)
    hub.fail("slow", "GET", "model.safetensors")
    env = {**hub.environment(tmp_path), "MICROGPT_REPO": REPO}
    with app_server(env, root=app) as url:
        page.goto(url)
        wait_for_text(page, "t.length > 100")
        page.get_by_text(re.compile(r"Loading .* MB")).wait_for()
        page.get_by_test_id("stBaseButton-primary").click()
        page.get_by_text(re.compile("characters/s")).wait_for()


def test_untrusted_text_is_not_rendered(page, app_with_hub, tiny_checkpoint, tmp_path):
    url, hub = app_with_hub
    folder = tmp_path / "hostile"
    shutil.copytree(tiny_checkpoint, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    hostile = "![x](https://evil.example/x.png) <b>b</b> www.evil.example a@evil.example &lt; $x$"
    config["training"]["data"] = hostile
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    hub.add(HOSTILE_REPO, folder)
    visit(page, f"{url}/loss_record?repo={HOSTILE_REPO.replace('/', '%2F')}", "Loss record")
    sidebar = page.get_by_test_id("stSidebarUserContent")
    sidebar.get_by_text("evil.example").first.wait_for()
    assert sidebar.locator("a, img, b").count() == 0
    text = sidebar.inner_text().replace("\u2060", "")
    assert text.count(hostile) == 1
