// The player: a waveform of stored peaks, chapters to jump to, and keys; the audio element plays.
import WaveSurfer from "./vendor/wavesurfer/wavesurfer.esm.js";

const STEP = 5;
const player = document.getElementById("player");
const audio = document.getElementById("audio");
const play = document.getElementById("play");
const seek = document.getElementById("seek");
const speed = document.getElementById("speed");
const duration = Number(player.dataset.duration);
const pieces = [...document.querySelectorAll("#chapters > li")];
const chapters = pieces.filter((piece) => piece.dataset.number);

function clock(seconds) {
  const whole = Math.floor(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

function say(text) {
  document.getElementById("said").textContent = text;
}

function goTo(seconds) {
  audio.currentTime = Math.min(Math.max(seconds, 0), duration);
  show();
}

function toggle() {
  if (audio.paused) start();
  else audio.pause();
}

function start() {
  say("");
  audio.play().catch((error) => {
    // A pause that comes before the sound does is no fault.
    if (error.name !== "AbortError") say("This cannot be played. Try to download it.");
  });
}

function chapterAt(seconds) {
  return chapters.findLast((chapter) => Number(chapter.dataset.start) <= seconds + 0.05);
}

function jump(chapter) {
  goTo(Number(chapter.dataset.start));
  start();
}

function skip(by) {
  const here = chapters.indexOf(chapterAt(audio.currentTime));
  // Back to the start of this chapter first, as players do, and to the one before from there.
  const late = by < 0 && audio.currentTime - Number(chapters[here]?.dataset.start ?? 0) > 2;
  const next = chapters[late ? here : here + by];
  if (next) jump(next);
}

function faster(by) {
  const next = speed.selectedIndex + by;
  if (next < 0 || next >= speed.options.length) return;
  speed.selectedIndex = next;
  audio.playbackRate = Number(speed.value);
}

function show() {
  const now = audio.currentTime;
  document.getElementById("now").textContent = clock(now);
  seek.value = now;
  seek.setAttribute("aria-valuetext", `${clock(now)} of ${clock(duration)}`);
  const current = chapterAt(now);
  for (const chapter of chapters) {
    if (chapter === current) chapter.setAttribute("aria-current", "true");
    else chapter.removeAttribute("aria-current");
  }
}

const KEYS = {
  " ": toggle,
  ArrowLeft: () => goTo(audio.currentTime - STEP),
  ArrowRight: () => goTo(audio.currentTime + STEP),
  j: () => skip(-1),
  k: () => skip(1),
  ",": () => faster(-1),
  ".": () => faster(1),
};

function onKey(event) {
  const mine = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  // What has a use for the key itself keeps it; a held key and a shortcut of the browser are not for us.
  if (!mine || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.target.closest("input, select, textarea, audio, a, summary")) return;
  if (event.key === " " && event.target.closest("button")) return;
  if (event.key.startsWith("Arrow") && event.target.closest("[tabindex]")) return;
  event.preventDefault();
  mine();
}

function drawStrip() {
  const strip = document.getElementById("strip");
  for (const piece of pieces) {
    const start = Number(piece.dataset.start);
    const end = Number(piece.dataset.end);
    const mark = document.createElement("span");
    mark.className = piece.dataset.number ? "chapter" : "gap";
    mark.textContent = piece.dataset.number ?? "";
    mark.style.left = `${(100 * start) / duration}%`;
    mark.style.width = `${(100 * (end - start)) / duration}%`;
    if (piece.dataset.number) mark.addEventListener("click", () => jump(piece));
    strip.append(mark);
  }
  strip.hidden = false;
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  return { waveColor: colour("--wave"), progressColor: colour("--accent"), cursorColor: colour("--text") };
}

async function drawWave() {
  const reply = await fetch(player.dataset.peaks);
  if (!reply.ok) throw new Error(`the waveform cannot be had (${reply.status})`);
  const stored = await reply.json();
  const container = document.getElementById("wave");
  container.hidden = false;
  const wave = WaveSurfer.create({
    container, media: audio, ...stored, ...colours(), cspNonce: player.dataset.nonce,
    height: 96, barWidth: 2, barGap: 1, barRadius: 2, normalize: true, dragToSeek: true,
  });
  wave.on("interaction", show);
  new MutationObserver(() => wave.setOptions(colours()))
    .observe(document.documentElement, { attributeFilter: ["data-theme"] });
}

function takeOver() {
  play.addEventListener("click", toggle);
  seek.addEventListener("input", () => goTo(Number(seek.value)));
  speed.addEventListener("change", () => { audio.playbackRate = Number(speed.value); });
  for (const name of ["timeupdate", "seeked", "loadedmetadata"]) audio.addEventListener(name, show);
  audio.addEventListener("play", () => { play.textContent = "Pause"; });
  audio.addEventListener("pause", () => { play.textContent = "Play"; });
  audio.addEventListener("error", () => say("This cannot be played. Try to download it."));
  for (const chapter of chapters) chapter.querySelector(".jump").addEventListener("click", () => jump(chapter));
  document.addEventListener("keydown", onKey);
  drawStrip();
  audio.controls = false;
  for (const id of ["controls", "keys"]) document.getElementById(id).hidden = false;
  show();
}

takeOver();
if (player.dataset.peaks) {
  drawWave().catch((error) => {
    document.getElementById("wave").hidden = true;
    say(`Without a waveform: ${error.message}.`);
  });
}
