// An answer, shown: the class, bars, marks of the members on them, and their votes.

import { picture } from "./pixels.js";

const MOST = 12; // bars
const LEAST = 0.01; // probability of a member that gets a mark
const SVG = "http://www.w3.org/2000/svg";
// Shapes differ as well as colours, for whoever cannot tell these apart.
const SHAPES = ["M5 0 10 10H0Z", "M0 0H10V10H0Z", "M5 0 10 5 5 10 0 5Z", "M5 0a5 5 0 1 0 .01 0Z", "M0 0H10L5 10Z", "M0 3H10V7H0Z",
  "M3 0H7V10H3Z", "M0 5 10 0V10Z"];

export const byId = (id) => document.getElementById(id);

export const percent = (value) =>
  `${value > 0.9995 && value < 1 ? "> 99.9" : value < 0.0005 && value > 0 ? "< 0.1" : (100 * value).toFixed(1)} %`;

export function element(name, { text, className, ...attributes } = {}, ...children) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function mark(index) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 10 10");
  svg.setAttribute("aria-hidden", "true");
  svg.style.setProperty("--mark", `var(--series-${(index % 7) + 2})`);
  const path = svg.appendChild(document.createElementNS(SVG, "path"));
  path.setAttribute("d", SHAPES[index % SHAPES.length]);
  return svg;
}

function bar(name, value, members, best) {
  const fill = element("div", { className: "fill" });
  fill.style.width = `${100 * value}%`;
  const track = element("div", { className: "track", "aria-hidden": "true" }, fill);
  members.forEach((member, index) => {
    if (member.probabilities[name] < LEAST) return; // a heap of marks at the left end says nothing
    const one = mark(index);
    one.classList.add("mark");
    one.style.left = `${100 * member.probabilities[name]}%`;
    track.append(one);
  });
  return element("tr", { className: best ? "best" : "" },
    element("th", { scope: "row", text: name, title: name }), element("td", {}, track), element("td", { text: percent(value) }));
}

/** Who says what, in a sentence. */
function sentence(answer, label) {
  const parts = [];
  const others = answer.members.filter((member) => member.class !== answer.class);
  if (answer.members.length) {
    const count = answer.members.length;
    if (!others.length) parts.push(`All ${count} members agree.`);
    else {
      const said = others.map((member) => `${member.name} says ${member.class} (${percent(member.probabilities[member.class])})`);
      parts.push(`${count - others.length} of ${count} members ${count - others.length === 1 ? "agrees" : "agree"}; ${said.join(", ")}.`);
    }
  }
  if (label) parts.push(label === answer.class ? `The data set says ${label}, too.` : `The data set says ${label}.`);
  return parts.join(" ");
}

function vote(member, answer) {
  const own = member.probabilities[member.class];
  const against = member.class !== answer.class;
  return element("tr", {},
    element("th", { scope: "row", text: member.name }),
    element("td", { text: against ? `≠ ${member.class}` : member.class, className: against ? "against" : "" }),
    element("td", { text: percent(own), className: "number" }),
    element("td", { text: percent(member.probabilities[answer.class]), className: "number" }));
}

/** Fill the page with a prediction. `label` is what the data set says, where it says anything. */
export function show(answer, { done, label }) {
  const ranked = Object.entries(answer.probabilities).sort((a, b) => b[1] - a[1]);
  byId("class").textContent = answer.class;
  byId("percent").textContent = percent(answer.probability);
  byId("sentence").textContent = sentence(answer, label);
  byId("said").textContent = `${answer.class}, ${percent(answer.probability)}. ${sentence(answer, label)}`;
  picture(byId("seen"), answer.pixels);
  byId("seen").setAttribute("aria-label", `The picture in ${answer.pixels[0].length} by ${answer.pixels.length} pixels`);
  byId("steps").replaceChildren(...[done, ...answer.steps].filter(Boolean).map((text) => element("li", { text })));
  const rows = ranked.slice(0, MOST).map(([name, value]) => bar(name, value, answer.members, name === answer.class));
  byId("bars").tBodies[0].replaceChildren(...rows);
  byId("marks").replaceChildren(...answer.members.map((member, index) => element("li", {}, mark(index), member.name)));
  byId("members").hidden = !answer.members.length;
  byId("for-answer").textContent = `For ${answer.class}`;
  byId("votes").replaceChildren(...answer.members.map((member) => vote(member, answer)));
}
