import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "microgpt"
# An import runs from a later layer to an earlier one, or within one.
LAYERS = (
    {"config", "tokenizer", "errors", "formats", "atomic", "locks"},
    {"data", "tasks", "pairs", "dates", "model", "encoder_decoder", "sampling", "device"},
    {"engine", "generate", "translate"},
    {"analysis"},
    {"checkpoint"},
    {"training", "hub", "interop"},
    {"cli", "ui", "__main__"},
)
LAYER_OF = {name: layer for layer, names in enumerate(LAYERS) for name in names}
LAYER_OF["__version__"] = 0  # of the package itself, which imports nothing
UI = PACKAGE / "ui"
LIBRARY = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if UI not in path.parents and path != PACKAGE / "__init__.py"
)


def dotted(path: Path) -> str:
    """The name of a module in an import."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_names(path: Path, nodes: list[ast.AST]) -> set[str]:
    """Dotted names of the modules that the import statements among nodes name."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imports_at_the_top(path: Path) -> set[str]:
    """What a module imports when it is loaded; a function may import more."""
    return imported_names(path, ast.parse(path.read_text(encoding="utf-8")).body)


def all_imports(path: Path) -> set[str]:
    return imported_names(path, list(ast.walk(ast.parse(path.read_text(encoding="utf-8")))))


def run(code: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_the_library_does_not_load_streamlit():
    modules = ", ".join(dotted(path) for path in LIBRARY if path.stem != "__main__")
    run(f"import sys, {modules}\nassert 'streamlit' not in sys.modules")


def test_the_first_layer_loads_neither_torch_nor_numpy():
    modules = ", ".join(f"microgpt.{name}" for name in sorted(LAYERS[0]))
    run(f"import sys, {modules}\nassert not {{'torch', 'numpy', 'pandas'}} & set(sys.modules)")


def test_charts_load_neither_streamlit_nor_torch():
    modules = ", ".join(dotted(path) for path in sorted((UI / "charts").glob("*.py")))
    run(f"import sys, {modules}\nassert not {{'streamlit', 'torch'}} & set(sys.modules)")


@pytest.mark.parametrize("path", LIBRARY, ids=dotted)
def test_a_module_imports_only_from_its_layer_and_earlier_ones(path):
    _, *module = dotted(path).split(".")
    for name in imports_at_the_top(path):
        top, *rest = name.split(".")
        assert top not in ("app", "pages", "streamlit")
        if top == "microgpt":
            assert LAYER_OF[rest[0]] <= LAYER_OF[module[0]], f"{dotted(path)} imports {name}"


@pytest.mark.parametrize("path", LIBRARY, ids=dotted)
def test_only_the_ui_imports_streamlit(path):
    assert not [name for name in all_imports(path) if "streamlit" in name]


def test_the_ui_imports_no_page():
    for path in UI.rglob("*.py"):
        packages = {name.split(".")[0] for name in all_imports(path)}
        assert not packages & {"app", "pages"}, path


def test_only_the_cache_uses_torch_and_streamlits_caches():
    """The cache holds tensors; views get numbers and arrays from it."""
    for path in [*UI.rglob("*.py"), *(ROOT / "pages").glob("*.py"), ROOT / "app.py"]:
        if path.parent == UI / "cache":
            continue
        assert "torch" not in {name.split(".")[0] for name in all_imports(path)}, path
        assert "st.cache_" not in path.read_text(encoding="utf-8"), path
