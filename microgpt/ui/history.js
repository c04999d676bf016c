// Each choice of the visitor becomes one entry of the browser's history.
//
// Streamlit replaces the entry when the visitor changes a widget, and adds entries when the script
// changes the address, several in one run. Instead, the first change after a press adds an entry,
// and all later ones replace it.
(() => {
    const CONTROLS =
        "a, button, input, textarea, label, canvas, .js-plotly-plot, .stSlider, " +
        "[aria-selected], [aria-checked]";
    const { pushState, replaceState } = window.history;
    let pressed = false;

    function press(event) {
        const touched = (node) => node instanceof ShadowRoot || node.matches?.(CONTROLS);
        // A press beside the controls must not add an entry for the end of an earlier run.
        pressed ||= event.type === "keydown" ? !event.repeat : event.composedPath().some(touched);
    }

    function changeAddress(...args) {
        (pressed ? pushState : replaceState).apply(window.history, args);
        pressed = false;
    }

    window.addEventListener("pointerdown", press, true);
    window.addEventListener("keydown", press, true);
    // A screen reader sends a click alone.
    window.addEventListener("click", (event) => event.detail === 0 && press(event), true);
    window.addEventListener("popstate", () => (pressed = false), true);
    window.history.pushState = changeAddress;
    window.history.replaceState = changeAddress;
})();
