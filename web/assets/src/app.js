// Enhancements only: every page is complete without this file.
import "htmx.org";

const offline = () => document.getElementById("offline");

function say(text) {
  const line = offline();
  if (!line) return;
  line.hidden = !text;
  line.textContent = text;
}

// A poll that fails leaves old figures on the screen: say so, and take it back when one succeeds.
let since = null;
function interrupted() {
  since ??= new Date().toISOString().slice(11, 16);
  say(`Updates stopped at ${since} UTC: the server did not answer. These figures may be old.`);
}

for (const name of ["htmx:response:error", "htmx:error"]) document.addEventListener(name, interrupted);
document.addEventListener("htmx:after:swap", () => {
  since = null;
  say("");
});

// A form that was sent cannot be sent twice by a second click.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || event.defaultPrevented || button.dataset.again !== undefined) return;
  setTimeout(() => {
    button.setAttribute("aria-disabled", "true");
  });
  if (button.getAttribute("aria-disabled") === "true") event.preventDefault();
});
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[aria-disabled]")) button.removeAttribute("aria-disabled");
});

// Filters apply at once where that is offered; the button stays for those who prefer it.
document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-autosubmit]");
  if (form && event.target.matches("select, input[type=date]")) form.requestSubmit();
});

// Fields that only some flexibility types use are shown for those types alone.
function showFieldsOfKind(form) {
  const kind = form.querySelector("[name=flexibility_type]:checked")?.value;
  for (const field of form.querySelectorAll("[data-for-kind]")) field.hidden = field.dataset.forKind !== kind;
}
for (const form of document.querySelectorAll("form[data-kinds]")) {
  showFieldsOfKind(form);
  form.addEventListener("change", () => showFieldsOfKind(form));
}

// A quote names instants in UTC, as the form does; readers elsewhere see their own time too.
function showOwnTime() {
  const say = (iso, options) => new Intl.DateTimeFormat("en-GB", options).format(new Date(iso));
  const clock = { hour: "2-digit", minute: "2-digit" };
  for (const time of document.querySelectorAll("time[data-local]:not([data-told])")) {
    time.dataset.told = "";
    if (!new Date(time.dateTime).getTimezoneOffset()) continue;
    time.append(` (${say(time.dateTime, { weekday: "short" })} ${say(time.dateTime, { ...clock, timeZoneName: "short" })})`);
  }
  for (const text of document.querySelectorAll("text[data-instant]")) {
    text.textContent = say(text.dataset.instant, clock);
    const zone = text.ownerSVGElement.querySelector("[data-zone]");
    if (new Date(text.dataset.instant).getTimezoneOffset()) zone.textContent = "your time";
  }
}
document.addEventListener("htmx:after:swap", showOwnTime);
showOwnTime();

// What a person opened or closed stays so when that part of the page is refreshed.
const chosen = new Map();
document.addEventListener("click", (event) => {
  const details = event.target.closest?.("summary")?.parentElement;
  if (details?.id) chosen.set(details.id, !details.open);
});
document.addEventListener("htmx:after:swap", () => {
  for (const [id, open] of chosen) {
    const details = document.getElementById(id);
    if (details) details.open = open;
  }
});
