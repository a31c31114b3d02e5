"use strict";

const at = (id) => document.getElementById(id);
let served = { translator: false };
let latest = 0; // number of the last request; older answers are not shown

function element(tag, properties, ...children) {
  const created = Object.assign(document.createElement(tag), properties);
  created.append(...children);
  return created;
}

function showStatus(status, error = "") {
  at("status").textContent = status;
  at("error").textContent = error;
  if (error) at("error").scrollIntoView({ block: "nearest" });
}

async function predict(image, name) {
  const number = ++latest;
  at("result").hidden = true;
  showStatus(`Processing ${name} …`);
  const form = new FormData();
  form.append("image", image, "image");
  const query = `overlay=true&translation=${served.translator}`;
  let answer;
  try {
    const response = await fetch(`/api/predict?${query}`, { method: "POST", body: form });
    answer = await response.json();
  } catch {
    answer = { success: false, error: "The server does not respond. Is it still running?" };
  }
  if (number !== latest) return;
  if (!answer.success) {
    showStatus("", answer.error);
    return;
  }
  show(answer, name);
}

function percent(p) {
  return `${(100 * p).toFixed(1)} %`;
}

function show(answer, name) {
  const rows = answer.predictions.flatMap(({ label, probability }) => {
    const bar = element("span");
    bar.style.width = percent(probability).replace(" ", "");
    const term = element("dt", {}, element("span", { textContent: label }), " ",
      element("span", { textContent: percent(probability) }));
    const value = element("dd", {}, bar);
    value.setAttribute("aria-hidden", "true");
    return [term, value];
  });
  at("predictions").replaceChildren(...rows);
  at("overlay").src = answer.overlay;
  at("overlay").alt = `Heat map over ${name}`;
  at("overlay-label").textContent = answer.overlay_label;
  at("overlay").onload = () => { // translators return squares; show them in the image's aspect ratio
    const ratio = `${at("overlay").naturalWidth} / ${at("overlay").naturalHeight}`;
    for (const name of ["compare", "edits"]) at(name).style.aspectRatio = ratio;
  };
  for (const name of ["translation", "edits-part"]) at(name).hidden = !answer.translation;
  if (answer.translation) {
    at("before").src = answer.translation.before;
    at("after").src = answer.translation.after;
    at("edits").src = answer.translation.edits;
    at("edits").alt = `Edits of ${name}`;
    slide(50);
  }
  at("result").hidden = false;
  const best = answer.predictions.reduce((a, b) => (b.probability > a.probability ? b : a));
  showStatus(`${name}: ${best.label}, ${percent(best.probability)}. Not for diagnosis.`);
  at("result-title").focus();
}

function slide(value) {
  const slider = at("slider");
  slider.value = value;
  at("compare").style.setProperty("--cut", `${100 - slider.value}%`);
  slider.setAttribute("aria-valuetext", `${slider.value} % of the image shown translated`);
}

function slideTo(event) {
  const box = at("compare").getBoundingClientRect();
  slide(Math.round(100 - (100 * (event.clientX - box.left)) / box.width));
}

function predictFile(file) {
  if (!file) return;
  markPressed(null);
  predict(file, file.name || "the image");
}

function markPressed(button) {
  for (const other of at("examples").querySelectorAll("button")) {
    other.setAttribute("aria-pressed", String(other === button));
  }
}

async function predictExample(url, name, button) {
  markPressed(button);
  try {
    predict(await (await fetch(url)).blob(), name);
  } catch {
    showStatus("", "The example cannot be loaded. Is the server still running?");
  }
}

async function start() {
  at("file").addEventListener("change", (event) => {
    predictFile(event.target.files[0]);
    event.target.value = ""; // allows choosing the same file again
  });
  const drop = at("drop");
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragenter" || kind === "dragover");
    });
  }
  drop.addEventListener("drop", (event) => predictFile(event.dataTransfer.files[0]));
  at("slider").addEventListener("input", (event) => slide(event.target.value));
  at("compare").addEventListener("pointerdown", (event) => {
    at("compare").setPointerCapture(event.pointerId);
    slideTo(event);
  });
  at("compare").addEventListener("pointermove", (event) => {
    if (event.buttons) slideTo(event);
  });
  at("compare").addEventListener("dragstart", (event) => event.preventDefault());
  try {
    served = await (await fetch("/health")).json();
    at("version").textContent = served.version;
    const { examples } = await (await fetch("/api/examples")).json();
    at("examples").replaceChildren(...examples.map(({ url, label }, i) => {
      const name = `Example ${i + 1}, ${label}`;
      const image = element("img", { src: url, alt: "", width: 192, height: 192 });
      const button = element("button", { type: "button" }, image, name);
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => predictExample(url, name, button));
      return element("li", {}, button);
    }));
    at("examples-part").hidden = false;
  } catch {
    showStatus("", "The server does not respond. Is it still running?");
  }
}

start();
