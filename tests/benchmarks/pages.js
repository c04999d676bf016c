// Functions that pages.py and inside.py call in the page: when a result was painted, and which tasks were long.
(() => {
  const longTasks = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) longTasks.push(entry.duration);
  }).observe({ type: "longtask" });

  const chart = () => document.querySelector('[data-testid="stPlotlyChart"] .js-plotly-plot');
  const image = () => chart()?.querySelector(".heatmaplayer image");
  const href = (node) => node?.getAttribute("href") ?? node?.getAttribute("xlink:href");
  const state = () =>
    document.querySelector('[data-testid="stApp"]')?.getAttribute("data-test-script-state");
  const running = () => ![undefined, "notRunning"].includes(state());
  // How many times the page's script has started to run, and the map has been redrawn.
  const seen = { runs: 0, drawings: 0 };
  let ran = false, drawn = null;
  new MutationObserver(() => {
    if (running() && !ran) seen.runs += 1;
    ran = running();
    if (image() !== drawn) seen.drawings += 1;
    drawn = image();
  }).observe(document, { subtree: true, childList: true, attributeFilter: ["data-test-script-state"] });
  const frame = () => new Promise(requestAnimationFrame);

  // Milliseconds from an input event until its result is on the screen. The frame that first shows
  // the result has ended when the next frame begins.
  async function painted(event, isThere) {
    let started = null;
    const start = (each) => (started ??= each.timeStamp);
    addEventListener(event, start, { capture: true });
    while (started === null || !isThere()) await frame();
    await image()?.decode();
    await frame();
    await frame();
    removeEventListener(event, start, { capture: true });
    return performance.now() - started;
  }

  let summary = null;
  window.bench = {
    frame,
    longTasks,
    seen,
    // The weights in the last row of the drawn map, as shown on hover.
    lastRow: () => {
      const { z, customdata } = chart()._fullData[0];
      return [...(customdata ?? z).at(-1)];
    },
    // The strip's text for the character under the pointer. It is in a component's shadow tree.
    stripText: () => {
      summary ??= [...document.querySelectorAll("*")]
        .map((node) => node.shadowRoot?.querySelector(".strip .summary"))
        .find(Boolean);
      return summary.textContent;
    },
    hovered: () => chart().querySelector(".hoverlayer .hovertext")?.textContent ?? "",
    // The picture of the whole model, when a run of the script has changed it.
    newModel: (event) => {
      const picture = () =>
        [...document.querySelectorAll("*")]
          .map((node) => node.shadowRoot?.querySelector(".model-flow .picture")?.textContent)
          .find(Boolean);
      const { runs } = seen, before = picture();
      return painted(event, () => seen.runs > runs && !running() && picture() !== before);
    },
    newMap: (event) => {
      const before = href(image());
      return painted(event, () => image() && href(image()) !== before);
    },
    emptyRerun: (event) => {
      const { runs } = seen;
      return painted(event, () => seen.runs > runs && !running());
    },
  };
})();
