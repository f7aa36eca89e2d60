// A training while it goes on: what the server tells, drawn. Without this, the page is reloaded.

const live = document.getElementById("live");
const part = (id) => document.getElementById(id);
const SAID = {
  waiting: (now) => `It waits${now.place ? `, number ${now.place} in the queue` : ""}.`,
  interrupted: () => "Its process ended; it will be gone on with.",
  running: () => "It runs.",
  cancelling: () => "It is being cancelled.",
};

function duration(seconds) {
  const whole = Math.round(seconds);
  if (whole < 90) return `${whole} s`;
  return whole < 5400 ? `${Math.round(whole / 60)} min` : `${(whole / 3600).toFixed(1)} h`;
}

const words = (key) =>
  key.replaceAll("_", " ").replace("auc", "AUC").replace("rmse", "RMSE");

function tell(id, text) {
  if (part(id).textContent !== text) part(id).textContent = text;
}

const stages = JSON.parse(live.dataset.stages);
let began = null, ends = null, about = "about";

function show(now) {
  const said = SAID[now.state];
  if (!said || (now.state === "interrupted" && !now.place)) return location.reload();
  tell("said", said(now));
  tell("stage", stages[now.stage] ?? words(now.stage));
  part("bar").max = Math.max(now.total, 1);
  part("bar").value = now.done;
  const done = `${now.done.toLocaleString("en")} of ${now.total.toLocaleString("en")}`;
  const counted = now.done >= now.total ? live.dataset.done : done;
  tell("count", now.total ? counted : "");
  ends = now.left_s === null ? null : Date.now() + 1000 * now.left_s;
  about = now.left_is_least ? "at least" : "about";
  began = now.spent_s === null ? null : Date.now() - 1000 * now.spent_s;
  count();
}

function count() {
  tell("spent", began === null ? "" : `${duration((Date.now() - began) / 1000)} so far`);
  const left = ends === null ? 0 : (ends - Date.now()) / 1000;
  tell("left", left < 1 ? "" : `${about} ${duration(left)} left`);
}

setInterval(count, 1000);

const SVG = "http://www.w3.org/2000/svg";
const WIDE = 480, HIGH = 240, LEFT = 52, RIGHT = 12, TOP = 12, BOTTOM = 36;

function element(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function scale(least, most, from, to) {
  const span = most - least || 1;
  return (value) => from + ((value - least) / span) * (to - from);
}

// One panel: some keys of the lines over their number.
function curve(lines, keys, title) {
  const values = keys.flatMap((key) => lines.map((line) => line[key])).filter(Number.isFinite);
  const low = Math.min(...values), high = Math.max(...values);
  const pad = (high - low || Math.abs(high) || 1) * 0.08;
  const x = scale(1, Math.max(lines.length, 2), LEFT, WIDE - RIGHT);
  const y = scale(low - pad, high + pad, HIGH - BOTTOM, TOP);
  const last = keys.map((key) => `${words(key)} ${lines.at(-1)[key]?.toFixed(3) ?? "-"}`);
  const svg = element("svg", {
    viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img",
    "aria-label": `${title} after ${lines.length}: ${last.join(", ")}`,
  });
  svg.append(element("path", {
    class: "axis", d: `M${LEFT} ${TOP}V${HIGH - BOTTOM}H${WIDE - RIGHT}`,
  }));
  for (const value of new Set([low, (low + high) / 2, high])) {
    svg.append(element("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" },
      value.toFixed(3)));
    svg.append(element("path", { class: "axis", d: `M${LEFT - 3} ${y(value)}h3` }));
  }
  const step = Math.max(1, Math.ceil(lines.length / 8));
  for (let number = 1; number <= lines.length; number += step) {
    svg.append(element("text", { x: x(number), y: HIGH - BOTTOM + 16, "text-anchor": "middle" },
      number));
  }
  svg.append(element("text", { x: WIDE - RIGHT, y: HIGH - 4, "text-anchor": "end" },
    lines[0].setting === undefined ? "epoch" : "setting tried"));
  keys.forEach((key, number) => {
    const kind = number ? "second" : "first";
    const points = lines
      .map((line, at) => [x(at + 1), y(line[key])])
      .filter(([, height]) => Number.isFinite(height));
    svg.append(element("path", {
      class: kind, d: points.map((point, at) => `${at ? "L" : "M"}${point.join(" ")}`).join(""),
    }));
    if (points.length <= 60) {
      for (const [cx, cy] of points) svg.append(element("circle", { class: `${kind}-dot`, cx, cy, r: 3 }));
    }
  });
  const figure = document.createElement("figure");
  figure.className = "curve";
  const caption = document.createElement("figcaption");
  caption.textContent = keys.map((key, at) => words(key) + (at ? " (dashed)" : "")).join(", ");
  figure.append(caption, svg);
  return figure;
}

let lines = [];
let due = 0;

function draw() {
  due = 0;
  const keys = Object.keys(lines[0] ?? {}).filter((key) => lines.some((line) => Number.isFinite(line[key])));
  const losses = keys.filter((key) => key.includes("loss")).slice(0, 2);
  const scores = keys.filter((key) => key.startsWith("validation_") && !key.includes("loss")).slice(0, 2);
  const panels = [[scores, "Score"], [losses, "Loss"]].filter(([chosen]) => chosen.length);
  part("curves").hidden = !panels.length;
  part("curves").replaceChildren(...panels.map(([chosen, title]) => curve(lines, chosen, title)));
}

function later() {
  if (!due) due = requestAnimationFrame(draw);
}

const events = new EventSource(live.dataset.events);
events.addEventListener("state", (event) => show(JSON.parse(event.data)));
events.addEventListener("line", (event) => { lines.push(JSON.parse(event.data)); later(); });
events.addEventListener("error", () => {  // too many watch: look again without
  if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 10000);
});
events.addEventListener("anew", () => { lines = []; later(); });
