"use strict";

// The address that this page was read from is the one that clients use, also behind a proxy's prefix.
const server = new URL(".", location.href).href.replace(/\/$/, "");
for (const place of document.querySelectorAll(".server")) {
  place.textContent = server;
}

function selectAndCopy(code) {
  const range = document.createRange();
  range.selectNodeContents(code);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  // Pages that come over plain HTTP have no clipboard of their own.
  return document.execCommand("copy");
}

async function copy(code) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(code.textContent);
      return true;
    } catch {
      // Not allowed: as without one.
    }
  }
  return selectAndCopy(code);
}

for (const sample of document.querySelectorAll(".sample")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy: ${sample.querySelector("h3").textContent}`);
  button.addEventListener("click", async () => {
    button.textContent = (await copy(sample.querySelector("code"))) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  sample.append(button);
}
