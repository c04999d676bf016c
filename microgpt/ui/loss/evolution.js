// Scrub through a training: one slider moves a marker on the loss curve and shows, as they were at
// that step, the text the model wrote, one head's map and the expected next character.
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 600, HEIGHT = 110, PAD = 8;
const PLAY_MS = 700, BARS = 6;

const bytes = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
const make = (name, className, text = "") => {
  const node = document.createElement(name);
  node.className = className;
  node.textContent = text;
  return node;
};
const shape = (name, attributes) => {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  return node;
};

export default function ({ data, parentElement }) {
  const { steps, val, train, samples, passage, characters, palette } = data;
  const maps = bytes(data.maps), probs = bytes(data.probs); // (S, T, T) and (S, T, V), 0 to 255
  const T = passage.length, V = characters.length;
  const old = parentElement.querySelector(".evolution");
  const root = make("div", "evolution");
  // What was chosen stays when another head's maps arrive.
  let at = old ? Number(old.dataset.at) : steps.length - 1;
  let position = old ? Math.min(Number(old.dataset.position), T - 1) : T - 1;
  at = Math.min(at, steps.length - 1);
  if (old) old.stop();

  const bar = make("div", "bar");
  const play = make("button", "play", "▶");
  play.type = "button";
  play.setAttribute("aria-label", "Play");
  const slider = make("input", "slider");
  slider.type = "range";
  slider.min = 0;
  slider.max = steps.length - 1;
  slider.setAttribute("aria-label", "Step of the training");
  const label = make("span", "step");
  label.setAttribute("aria-live", "polite");
  bar.append(play, slider, label);

  // Moments are denser at the start; the square root gives each about the same room.
  const last = Math.max(1, steps[steps.length - 1]);
  const high = Math.max(...val, ...train), low = Math.min(...val, ...train);
  const x = (step) => PAD + Math.sqrt(step / last) * (WIDTH - 2 * PAD);
  const y = (loss) => HEIGHT - PAD - ((loss - low) / (high - low || 1)) * (HEIGHT - 2 * PAD);
  const curve = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curve", role: "img" });
  curve.setAttribute("aria-label", "Validation and training loss over the steps");
  for (const [name, losses] of [["train", train], ["val", val]]) {
    const points = losses.map((loss, i) => `${x(steps[i])},${y(loss)}`).join(" ");
    curve.append(shape("polyline", { points, class: name }));
    const key = shape("text", { x: WIDTH - PAD, y: name === "val" ? 14 : 30, class: `key ${name}` });
    key.textContent = name === "val" ? "validation" : "training";
    curve.append(key);
  }
  const line = shape("line", { y1: 0, y2: HEIGHT, class: "marker" });
  const dot = shape("circle", { r: 6, class: "dot" });
  curve.append(line, dot);
  curve.onclick = (event) => {
    const box = curve.getBoundingClientRect();
    const to = ((event.clientX - box.left) / box.width) * WIDTH;
    const distances = steps.map((step) => Math.abs(x(step) - to));
    show(distances.indexOf(Math.min(...distances)));
  };

  const wrote = make("pre", "wrote");
  const canvas = make("canvas", "map");
  canvas.width = canvas.height = T;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", data.head);
  const value = make("div", "value", " ");
  canvas.onpointermove = canvas.onpointerdown = (event) => {
    const box = canvas.getBoundingClientRect();
    const key = Math.floor(((event.clientX - box.left) / box.width) * T);
    const query = Math.floor(((event.clientY - box.top) / box.height) * T);
    if (key < 0 || query < 0 || key > query || query >= T) return;
    const weight = maps[(at * T + query) * T + key] / 255;
    const name = (i) => `${i + 1} ${passage[i]}`;
    value.textContent = `${name(query)} looks at ${name(key)}: ${weight.toFixed(3)}`;
  };
  const strip = make("div", "strip");
  strip.setAttribute("role", "group");
  strip.setAttribute("aria-label", "The passage; choose a character");
  const letters = passage.map((char, i) => {
    const letter = make("button", "letter", char);
    letter.type = "button";
    letter.onclick = () => choose(i);
    letter.onkeydown = (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step && letters[i + step]) {
        choose(i + step);
        letters[i + step].focus();
        event.preventDefault();
      }
    };
    return letter;
  });
  strip.append(...letters);
  const expected = make("div", "expected");

  const panel = (title, ...nodes) => {
    const node = make("section", "panel");
    node.append(make("h4", "title", title), ...nodes);
    return node;
  };
  const panels = make("div", "panels");
  panels.append(
    panel("What it wrote", wrote),
    panel(data.head, canvas, value),
    panel("What it expected next", strip, expected),
  );
  root.append(bar, curve, panels);
  if (old) old.replaceWith(root);
  else parentElement.appendChild(root);

  function paint() {
    const context = canvas.getContext("2d");
    const image = context.createImageData(T, T);
    for (let query = 0; query < T; query++) {
      for (let key = 0; key <= query; key++) {
        const colour = palette[maps[(at * T + query) * T + key]];
        image.data.set([...colour, 255], 4 * (query * T + key));
      }
    }
    context.putImageData(image, 0, 0);
  }

  function expect() {
    letters.forEach((letter, i) => {
      letter.setAttribute("aria-pressed", String(i === position));
      letter.tabIndex = i === position ? 0 : -1;
    });
    const row = [...probs.subarray((at * T + position) * V, (at * T + position + 1) * V)];
    const best = row.map((p, i) => [p / 255, i]).sort((a, b) => b[0] - a[0]).slice(0, BARS);
    expected.replaceChildren(
      ...best.map(([p, i]) => {
        const node = make("div", "guess");
        const follows = passage[position + 1] === characters[i];
        node.append(make("span", follows ? "char true" : "char", characters[i]));
        const fill = make("span", "fill");
        fill.style.width = `${60 * p}%`;
        node.append(fill, make("span", "share", `${(100 * p).toFixed(0)} %`));
        return node;
      }),
    );
  }

  function choose(i) {
    position = i;
    root.dataset.position = i;
    expect();
  }

  function show(i) {
    at = i;
    root.dataset.at = i;
    slider.value = i;
    label.textContent =
      `step ${steps[i].toLocaleString("en")} · validation loss ${val[i].toFixed(3)} nats`;
    slider.setAttribute("aria-valuetext", label.textContent);
    for (const end of ["x1", "x2"]) line.setAttribute(end, x(steps[i]));
    dot.setAttribute("cx", x(steps[i]));
    dot.setAttribute("cy", y(val[i]));
    wrote.textContent = samples[i];
    paint();
    expect();
  }

  let timer = null;
  root.stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶";
    play.setAttribute("aria-label", "Play");
  };
  play.onclick = () => {
    if (timer) return root.stop();
    if (at === steps.length - 1) show(0);
    play.textContent = "❚❚";
    play.setAttribute("aria-label", "Pause");
    timer = setInterval(() => {
      show(at + 1);
      if (at === steps.length - 1) root.stop();
    }, PLAY_MS);
  };
  slider.oninput = () => {
    root.stop();
    show(Number(slider.value));
  };
  root.dataset.position = position;
  show(at);
  return () => root.stop();
}
