// What pages gain where scripts run: times in the reader's own zone, a countdown, and a button that
// copies a code. Without scripts the same pages say the same in UTC.
"use strict";

const zoned = new Intl.DateTimeFormat(document.documentElement.lang, {
  dateStyle: "medium",
  timeStyle: "short",
});

function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.title ||= time.textContent;
    time.textContent = zoned.format(new Date(time.dateTime));
  }
}

// The server said how long; by which clock the reader lives does not matter.
function startCountdowns(root) {
  for (const left of root.querySelectorAll("[data-seconds]")) {
    left.dataset.until = performance.now() + 1000 * left.dataset.seconds;
  }
}

function countDown() {
  for (const left of document.querySelectorAll("[data-until]")) {
    const seconds = Math.max(0, Math.round((left.dataset.until - performance.now()) / 1000));
    left.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}

function offerCopies(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) {
    button.hidden = !navigator.clipboard;
  }
}

function prepare(root) {
  showTimes(root);
  offerCopies(root);
  startCountdowns(root);
  countDown();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button) {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = button.dataset.done;
  }
});

// A page that has moved on by itself begins anew for those who listen to it.
document.addEventListener("htmx:afterSettle", () => {
  const main = document.getElementById("main");
  prepare(main);
  main.querySelector("h1").focus();
});

prepare(document);
setInterval(countDown, 1000);
