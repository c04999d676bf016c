// A training run in progress: the losses beside the baselines of the text, and the newest sample.
// New data updates what is there; nothing is built again, so nothing flickers.
const SVG_NAME = "http://www.w3.org/2000/svg";
const LINES = { batch_loss: "training batch", train_loss: "training", val_loss: "validation" };
const LEFT = 34, RIGHT = 8, TOP = 14, BOTTOM = 24, LABEL = 15;
const BASELINES = {
  uniform: "uniform: every character equally likely",
  unigram: "unigram: knows how often each character occurs",
  bigram: "bigram: knows the character before",
};

const svg = (name, attributes = {}, text = "") => {
  const node = document.createElementNS(SVG_NAME, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return node;
};
const whole = (n) => n.toLocaleString("en");
// Round numbers between two values, about `count` of them.
const ticks = (low, high, count) => {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((each) => each * power >= rough);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
};

export default function ({ data, parentElement }) {
  viewOf(parentElement, build).update(data);
}

function build(parentElement) {
  const root = parentElement.querySelector(".run");
  const find = (name) => root.querySelector(`.${name}`);
  const chart = find("chart"), readout = find("readout"), slider = find("slider");
  const [sample, wrote] = ["sample", "wrote"].map(find);
  let data = null, pointed = null, shown = null, following = true;

  function update(newData) {
    data = newData;
    draw();
    slider.max = Math.max(0, data.samples.length - 1);
    if (following) slider.value = slider.max;
    slider.disabled = data.samples.length < 2;
    showSample();
  }

  function draw() {
    const width = chart.clientWidth, height = chart.clientHeight;
    if (!width) return;
    const points = Object.values(data.lines).flat().map(([, loss]) => loss);
    const known = [...points, ...data.baselines.map(([, loss]) => loss)];
    const high = Math.max(...known, 1) * 1.04;
    const low = known.length ? Math.max(0, Math.min(...known) - 0.25) : 0;
    const x = (step) => LEFT + ((width - LEFT - RIGHT) * step) / data.steps;
    const y = (loss) => TOP + ((height - TOP - BOTTOM) * (high - loss)) / (high - low);
    const nodes = [];
    for (const loss of known.length ? ticks(low, high, height / 55) : []) {
      nodes.push(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(loss), y2: y(loss) }));
      nodes.push(svg("text", { class: "tick", x: LEFT - 5, y: y(loss) + 4, "text-anchor": "end" }, +loss.toFixed(2)));
    }
    for (const step of ticks(0, data.steps, width / 110).filter(Number.isInteger)) {
      const end = x(step) > width - 24 ? "end" : "middle";
      nodes.push(svg("text", { class: "tick", x: Math.min(x(step), width - RIGHT), y: height - 8, "text-anchor": end }, whole(step)));
    }
    let free = -Infinity; // labels do not overlap
    for (const [name, loss] of data.baselines) {
      nodes.push(svg("line", { class: "baseline", x1: LEFT, x2: width - RIGHT, y1: y(loss), y2: y(loss) }));
      const at = Math.max(y(loss) - 4, free + LABEL);
      free = at;
      const label = width > 420 ? BASELINES[name] : name;
      nodes.push(svg("text", { class: "label", x: width - RIGHT, y: at, "text-anchor": "end" }, `${label}, ${loss.toFixed(2)}`));
    }
    for (const [name, line] of Object.entries(data.lines)) {
      const path = line.map(([step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`).join(" ");
      nodes.push(svg("polyline", { class: name, points: path }));
    }
    const last = data.lines.val_loss.at(-1);
    if (last) nodes.push(svg("circle", { class: "end", cx: x(last[0]), cy: y(last[1]), r: 4 }));
    const now = nearest();
    if (now && pointed !== null) {
      nodes.push(svg("line", { class: "cursor", x1: x(now[0]), x2: x(now[0]), y1: TOP, y2: height - BOTTOM }));
    }
    chart.replaceChildren(...nodes);
    chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
    describe(now ?? last);
  }

  // The estimate nearest to where the pointer is, or null.
  function nearest() {
    if (pointed === null || !data.lines.val_loss.length) return null;
    const step = pointed * data.steps, away = (point) => Math.abs(point[0] - step);
    return data.lines.val_loss.reduce((best, point) => (away(point) < away(best) ? point : best));
  }

  function describe(point) {
    if (!point) return (readout.textContent = "The first estimate comes in a moment.");
    const [step, val] = point;
    const train = data.lines.train_loss.find((each) => each[0] === step)?.[1];
    const parts = [element("span", "at", `step ${whole(step)}`), element("span", "val curve-mark", `validation ${val.toFixed(3)}`)];
    if (train !== undefined) parts.push(element("span", "train curve-mark", `training ${train.toFixed(3)}`));
    readout.replaceChildren(...parts);
  }

  function showSample() {
    const found = data.samples[Number(slider.value)];
    find("writing").classList.toggle("waiting", !found);
    if (!found) return (wrote.textContent = "What it writes");
    const [step, text] = found;
    wrote.textContent = step ? `What it writes after ${whole(step)} steps` : "What it writes before the training";
    slider.setAttribute("aria-valuetext", `step ${step}`);
    slider.style.setProperty("--done", `${(100 * slider.value) / (slider.max || 1)}%`);
    if (shown === step + text) return;
    shown = step + text;
    sample.replaceChildren(...signed(text, data.signs));
    sample.dataset.step = step;
    sample.getAnimations().forEach((each) => each.cancel());
    if (matchMedia("(prefers-reduced-motion: no-preference)").matches) {
      sample.animate([{ opacity: 0.35 }, { opacity: 1 }], 500);
    }
  }

  slider.oninput = () => {
    following = slider.value === slider.max;
    showSample();
  };
  chart.onpointermove = chart.onpointerdown = (event) => {
    const box = chart.getBoundingClientRect();
    pointed = clamp((event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT), 0, 1);
    draw();
  };
  chart.onpointerleave = (event) => {
    if (event.pointerType !== "mouse") return; // a tap also ends in pointerleave
    pointed = null;
    draw();
  };
  find("save").onclick = () => savePicture(find("curves"), data.file);
  new ResizeObserver(() => data && draw()).observe(chart);
  return { root, update };
}
