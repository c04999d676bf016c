// What the pages benchmark asks of the page: when something was painted, and what took long.
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
  // Runs of the page's script, and the drawings of its map, that were seen to begin.
  const seen = { runs: 0, drawings: 0 };
  let ran = false, drawn = null;
  new MutationObserver(() => {
    if (running() && !ran) seen.runs += 1;
    ran = running();
    if (image() !== drawn) seen.drawings += 1;
    drawn = image();
  }).observe(document, { subtree: true, childList: true, attributeFilter: ["data-test-script-state"] });
  const frame = () => new Promise(requestAnimationFrame);

  // Milliseconds from an input event until what it asked for is on the screen: the frame in which
  // it is first seen has ended when the next one begins.
  async function painted(event, isThere) {
    let started = null;
    const start = (each) => (started ??= each.timeStamp);
    addEventListener(event, start, { capture: true });
    while (started === null || !isThere()) await frame();
    await image().decode();
    await frame();
    await frame();
    removeEventListener(event, start, { capture: true });
    return performance.now() - started;
  }

  let says = null;
  window.bench = {
    frame,
    longTasks,
    seen,
    // The weights of the map's last row that are drawn, as hover tells them.
    lastRow: () => {
      const { z, customdata } = chart()._fullData[0];
      return [...(customdata ?? z).at(-1)];
    },
    // What the strip says of the character pointed at; it lives in a component's shadow tree.
    told: () => {
      says ??= [...document.querySelectorAll("*")]
        .map((node) => node.shadowRoot?.querySelector(".strip .says"))
        .find(Boolean);
      return says.textContent;
    },
    hovered: () => chart().querySelector(".hoverlayer .hovertext")?.textContent ?? "",
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
