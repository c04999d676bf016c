// The play button and the slider of a training, and the steps below it. Used with playback.css.

const PLAY_MS = 900;

// Let the button, the space bar and the slider move through the steps of a training. last() and at()
// are the indices of the last step and of the one that is shown; move(to) shows another one; send()
// tells the page which one is shown, when the visitor has stopped; wait() is the time for each step,
// in milliseconds. Returns stop(), which pauses, and mark(text), which shows the step on the slider.
const playback = (play, slider, { last, at, move, send, wait = () => PLAY_MS }) => {
  let timer = null;
  const name = (isPlaying) => {
    play.textContent = isPlaying ? "❚❚" : "▶";
    play.setAttribute("aria-label", isPlaying ? "Pause" : "Play the training");
  };
  const stop = () => {
    clearTimeout(timer);
    timer = null;
    name(false);
  };
  const pause = () => {
    stop();
    send();
  };
  const go = () => {
    if (slider.isConnected && at() < last()) move(at() + 1);
    if (slider.isConnected && at() < last()) timer = setTimeout(go, wait());
    else pause();
  };
  const toggle = () => {
    if (timer) return pause();
    if (at() === last()) move(0);
    name(true);
    timer = setTimeout(go, wait());
  };
  play.onclick = toggle;
  slider.oninput = () => {
    stop();
    move(Number(slider.value));
  };
  slider.onchange = send;
  slider.onkeydown = (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    toggle();
  };
  const mark = (text) => {
    slider.value = at();
    slider.style.setProperty("--done", `${(100 * at()) / (last() || 1)}%`);
    slider.setAttribute("aria-valuetext", text);
  };
  stop();
  return { stop, mark };
};

// The labels of the steps below the slider, which has all steps at even distances: about `most` of
// them, and always the last one.
const stepLabels = (steps, most) => {
  const last = steps.length - 1, few = Math.ceil(steps.length / most);
  const labels = steps.map((step, i) => {
    const text = step.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
    const label = element("span", "tick", text);
    label.style.left = `${(100 * i) / (last || 1)}%`;
    return label;
  });
  return labels.filter((_, i) => i === last || (i % few === 0 && last - i >= few));
};
