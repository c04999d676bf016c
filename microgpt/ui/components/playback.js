// The play button and the slider of a training. They are used with playback.css.

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
