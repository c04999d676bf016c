// The slider over the steps of the training, with the curves behind it.
const trainingSlider = (root, { move, send, back }) => {
  const find = (name) => root.querySelector(`.training .${name}`);
  const [play, stepName, slider, curves] = ["play", "step", "slider", "curves"].map(find);
  const [cursor, values, note, track] = ["cursor", "values", "note", "track"].map(find);
  let data = null, step = 0;
  const last = () => data.steps.length - 1;
  const x = (i) => (last() ? i / last() : 0.5);

  function show(fresh, at) {
    data = fresh;
    const moving = data.steps.length > 1;
    for (const node of [play, stepName, track, values]) node.hidden = !moving;
    note.replaceChildren(data.note, " ", data.back ? button("tool", data.back, data.back, back) : "");
    note.hidden = !data.note;
    if (!moving) return;
    slider.max = last();
    const colours = themeColours(root, "--st-chart-categorical-colors");
    data.curves.forEach((_, i) => root.style.setProperty(`--curve-${i}`, cssColour(colours[i])));
    curves.replaceChildren(...data.curves.map(line));
    values.replaceChildren(...data.curves.map(legend));
    mark(at);
  }

  function line(curve, i) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const points = curve.values.map((value, at) => {
      if (value === null) return "";
      const pen = at > 0 && curve.values[at - 1] !== null ? "L" : "M";
      return `${pen}${x(at)} ${1 - value / curve.top}`;
    });
    path.setAttribute("d", points.join(""));
    path.style.stroke = `var(--curve-${i})`;
    return path;
  }

  function legend(curve, i) {
    const node = element("span", "curve curve-mark", curve.title);
    node.style.setProperty("--colour", `var(--curve-${i})`);
    node.append(" ", element("span", "value"));
    return node;
  }

  function mark(at) {
    step = at;
    const text = `Step ${data.steps[step].toLocaleString("en")}`;
    stepName.textContent = text;
    cursor.style.left = `${100 * x(step)}%`;
    const said = data.curves.map((curve, i) => {
      values.children[i].querySelector(".value").textContent = curve.texts[step];
      return `${curve.title} ${curve.texts[step]}`;
    });
    playing.mark([text, ...said].join(", "));
  }

  const moveTo = (to) => {
    mark(to);
    move(to);
  };
  const playing = playback(play, slider, { last, at: () => step, move: moveTo, send });
  return { show, stop: playing.stop };
};
