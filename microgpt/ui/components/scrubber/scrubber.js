// The snapshots of a training run. A slider selects a snapshot; the view shows its losses, its
// sample, one head's map and the prediction after one character of the passage.
const CURVE_HEIGHT = 0.94; // share of the box, so that the ends are not cut off
const BARS = 6, CONTEXT = 14;
const MOST_TICKS = 14; // labels below the slider

const percent = (p) => {
  if (p < 0.005) return "< 1 %";
  return p > 0.995 ? "> 99 %" : `${(100 * p).toFixed(0)} %`;
};

export default function ({ data, parentElement, setTriggerValue }) {
  const view = viewOf(parentElement, build);
  view.send = setTriggerValue;
  view.update(data);
}

function build(parentElement) {
  const root = parentElement.querySelector(".scrubber");
  const find = (name) => root.querySelector(`.${name}`);
  const [play, speed, slider, chart, line] = ["play", "speed", "slider", "chart", "line"].map(find);
  const [canvas, strip, weightLine] = ["map", "strip", "weight"].map(find);
  let data = null, maps = null, probs = null; // (S, T, T) and (S, T, V), 0 to 255
  let at = null, chosen = null;
  let dots = [], letters = [];
  const { sendLater, receive } = keptChoices(root, (...choice) => view.send(...choice));
  const T = () => data.passage.length;
  const last = () => data.step.length - 1;
  const x = (i) => i / Math.max(1, last());
  const rowOf = (query) => {
    const start = (at * T() + query) * T();
    return maps.subarray(start, start + query + 1);
  };

  function update(newData) {
    data = newData;
    maps = bytes(data.maps);
    probs = bytes(data.probs);
    if (receive("step", data.shown)) at = data.shown;
    at = Math.min(at, last());
    chosen = Math.min(chosen ?? mostImproved(), T() - 1);
    slider.max = last();
    const [train, val] = themeColours(root, "--st-chart-categorical-colors");
    root.style.setProperty("--val", cssColour(val));
    root.style.setProperty("--train", cssColour(train));
    drawCurves();
    find("head").textContent = data.head;
    canvas.setAttribute("aria-label", `Attention map: ${data.head}`);
    const stops = data.palette.filter((_, i) => i % 15 === 0).map((rgb) => cssColour(rgb));
    find("ramp").style.background = `linear-gradient(to right, ${stops})`;
    writePassage();
    show(at);
  }

  // The position at which the probability of the correct next character rose most.
  function mostImproved() {
    const V = data.characters.length;
    const gains = data.passage.slice(1).map((char, i) => {
      const [first, final] = [0, last()].map(
        (s) => probs[(s * T() + i) * V + data.characters.indexOf(char)],
      );
      return final - first;
    });
    return gains.length ? gains.indexOf(Math.max(...gains)) : 0;
  }

  // Snapshots are evenly spaced, as on the slider below.
  function drawCurves() {
    const high = Math.max(...data.val, ...data.train), low = Math.min(...data.val, ...data.train);
    const y = (loss) => 0.5 + CURVE_HEIGHT * (0.5 - (loss - low) / (high - low || 1));
    for (const split of ["train", "val"]) {
      const points = data[split].map((loss, i) => `${x(i)},${y(loss)}`).join(" ");
      chart.querySelector(`polyline.${split}`).setAttribute("points", points);
    }
    dots.forEach((dot) => dot.remove());
    dots = data.val.map((loss, i) => {
      const dot = element("span", "dot");
      dot.style.left = `${100 * x(i)}%`;
      dot.style.top = `${100 * y(loss)}%`;
      return dot;
    });
    chart.append(...dots);
    find("ticks").replaceChildren(...stepLabels(data.step, MOST_TICKS));
  }

  // Show the passage as buttons.
  function writePassage() {
    const text = { labels: data.passage, lines: data.lines, spaces: data.spaces };
    letters = writeWords(strip, text, (char, i) => {
      const letter = element("button", "letter", char);
      letter.type = "button";
      letter.classList.toggle("sign", data.spaces.includes(i));
      letter.onclick = () => select(i);
      return letter;
    });
  }
  strip.onkeydown = (event) => {
    const step = textArrow(event, letters[chosen]);
    if (!step) return;
    event.preventDefault();
    select(clamp(chosen + step, 0, T() - 1));
    letters[chosen].focus();
  };

  function show(i) {
    at = i;
    const text = `Step ${data.step[i].toLocaleString("en")}`;
    const [val, train] = [data.val[i].toFixed(3), data.train[i].toFixed(3)];
    root.querySelector(".legend .val").textContent = `validation ${val}`;
    root.querySelector(".legend .train").textContent = `training ${train}`;
    find("step").textContent = text;
    playing.mark(`${text}, validation loss ${val} nats per character`);
    line.style.left = `${100 * x(i)}%`;
    dots.forEach((dot, j) => dot.classList.toggle("now", j === i));
    find("sample").replaceChildren(...signed(data.sample[i], data.signs));
    drawMap();
    select(chosen);
  }

  function drawMap() {
    const n = T();
    canvas.width = canvas.height = n;
    const context = canvas.getContext("2d");
    const image = context.createImageData(n, n);
    for (let query = 0; query < n; query++) {
      rowOf(query).forEach((weight, key) => {
        image.data.set([...data.palette[weight], 255], 4 * (query * n + key));
      });
    }
    context.putImageData(image, 0, 0);
  }

  // Select a character of the passage: show its attention and the prediction after it.
  function select(i) {
    chosen = i;
    const row = rowOf(i);
    setRovingTabindex(letters, i, "aria-pressed");
    letters.forEach((letter, j) => {
      const colour = j <= i ? cssColour(data.palette[row[j]]) : "transparent";
      letter.style.setProperty("--attention", colour);
    });
    const mark = find("row");
    mark.style.top = `${(100 * i) / T()}%`;
    mark.style.height = `${100 / T()}%`;
    describe(i, row.indexOf(Math.max(...row)), "attends most to");
    showPrediction(i);
  }

  function describe(query, key, verb) {
    const [from, to] = [query, key].map((i) => positionName(data.passage, i));
    weightLine.textContent = `${from} ${verb} ${to}: ${(rowOf(query)[key] / 255).toFixed(2)}`;
  }

  function showPrediction(i) {
    const V = data.characters.length;
    const row = probs.subarray((at * T() + i) * V, (at * T() + i + 1) * V);
    const next = data.passage[i + 1], correct = data.characters.indexOf(next);
    const order = [...row.keys()].sort((a, b) => row[b] - row[a]);
    const best = order.slice(0, BARS);
    // The correct character is always among them.
    if (correct >= 0 && !best.includes(correct)) best[best.length - 1] = correct;
    const before = data.passage.slice(Math.max(0, i + 1 - CONTEXT), i + 1).join("");
    find("context").textContent = `${isolated((i + 1 > CONTEXT ? "…" : "") + before)} → ${isolated(next ?? "?")}`;
    find("predictions").replaceChildren(
      ...best.map((id) => {
        const node = element("div", id === correct ? "prediction correct" : "prediction");
        const fill = element("span", "fill");
        fill.style.width = `${(100 * row[id]) / 255}%`;
        const track = element("span", "track");
        track.append(fill);
        node.append(element("span", "char", data.characters[id]), track);
        node.append(element("span", "share", percent(row[id] / 255)));
        return node;
      }),
    );
  }

  canvas.onpointermove = canvas.onpointerdown = (event) => {
    const box = canvas.getBoundingClientRect();
    const key = Math.floor(((event.clientX - box.left) / box.width) * T());
    const query = Math.floor(((event.clientY - box.top) / box.height) * T());
    if (key < 0 || query < 0 || key > query || query >= T()) return;
    if (event.type === "pointerdown") select(query);
    describe(query, key, "attends to");
  };
  canvas.onpointerleave = (event) => {
    if (event.pointerType === "mouse") select(chosen); // a tap also ends in pointerleave
  };

  chart.onpointerdown = chart.onpointermove = (event) => {
    if (event.type === "pointerdown") chart.setPointerCapture(event.pointerId);
    else if (!event.buttons) return;
    const box = chart.getBoundingClientRect();
    const share = clamp((event.clientX - box.left) / box.width, 0, 1);
    playing.stop();
    show(Math.round(share * last()));
    sendStep();
  };

  const sendStep = () => sendLater("step", at);
  const playing = playback(play, slider, {
    last,
    at: () => at,
    move: show,
    send: sendStep,
    wait: () => Number(speed.value),
  });
  const view = { root, update };
  return view;
}
