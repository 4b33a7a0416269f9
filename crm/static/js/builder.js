// The builders of quotes, invoices and segments: what is typed while an answer is under way stays, and so does the place
// of typing. A field is known by its name, a value of a rule also by its place or what it ticks, a field of a line by the
// line's key, for an answer may have moved the lines.
(() => {
  "use strict";
  const fields = (form) => new Map([...form.elements].filter((field) => field.name && !/^(hidden|submit)$/.test(field.type)).map((field) => {
    const [, at, part] = field.name.match(/^lines-(\d+)-(.+)$/) ?? [];
    return [at ? `${form.elements[`lines-${at}-key`].value} ${part}` : field.name.startsWith("value-") ? `${field.id} ${field.type === "checkbox" ? field.value : ""}` : field.name, field];
  }));
  const value = (field) => (field.type === "checkbox" ? field.checked : field.value);
  const builder = () => document.getElementById("builder");
  const saves = (event) => event?.submitter?.value === "save";
  let sent = new Map(), typed = [], active = "", pressed = false, held = false, drawing = false, owed = false, saving = false;
  // What is being saved is saved once, however often it is pressed, until an answer brings the form back.
  document.addEventListener("htmx:confirm", (event) => {
    if (!saving || event.detail.elt !== builder() || !saves(event.detail.triggeringEvent)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  });
  window.addEventListener("pageshow", () => { saving = false; });
  // A choice redraws the form, but never in place of what a pressed button asked for just before.
  document.addEventListener("htmx:confirm", (event) => {
    if (!(pressed || held) || event.detail.elt !== builder() || event.detail.triggeringEvent?.type !== "change") return;
    owed ||= held;
    event.preventDefault();
  });
  // Nor under a finger: where the button went between down and up there would be no click. Without one it is redrawn after.
  document.addEventListener("pointerdown", (event) => {
    if (!event.target.closest("#builder button")) return;
    [held, owed] = [true, drawing];
    if (drawing) htmx.trigger(builder(), "htmx:abort");
  });
  for (const up of ["pointerup", "pointercancel"]) document.addEventListener(up, () => {
    if (held) setTimeout(() => {
      held = false;
      if (owed) builder()?.querySelector(".redraw")?.dispatchEvent(new Event("change", { bubbles: true }));
      owed = false;
    });
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.requestConfig?.elt?.id !== "builder") return;
    pressed = drawing = false;
    saving &&= Boolean(event.detail.xhr?.getResponseHeader("HX-Redirect"));
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt !== builder()) return;
    pressed = event.detail.requestConfig.triggeringEvent?.type === "submit";
    drawing = !pressed;
    saving = saves(event.detail.requestConfig.triggeringEvent);
    if (pressed) owed = false;
    sent = new Map([...fields(builder())].map(([name, field]) => [name, value(field)]));
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target !== builder()) return;
    typed = [...fields(builder())].filter(([name, field]) => sent.has(name) && value(field) !== sent.get(name));
    active = typed.find(([, field]) => field === document.activeElement)?.[0] ?? "";
  });
  // Right after the swap, before any other key can arrive.
  document.addEventListener("htmx:afterSwap", () => {
    const now = builder() && typed.length ? fields(builder()) : new Map();
    for (const [name, old] of typed.splice(0)) {
      const field = now.get(name);
      if (!field) continue;
      if (field.type === "checkbox") field.checked = old.checked; else field.value = old.value;
      if (name !== active) continue;
      builder().querySelectorAll("[data-focus]").forEach((other) => other.removeAttribute("data-focus"));
      field.dataset.focus = "";
      field.focus();
      if (old.selectionStart !== null && field.setSelectionRange) field.setSelectionRange(old.selectionStart, old.selectionEnd);
    }
    const field = now.get(active);
    // A choice that other fields depend on (.redraw) was made after the answer was asked for: ask once more.
    if (now.size) setTimeout(() => (field ?? builder()).dispatchEvent(new Event(field?.matches(".redraw") ? "change" : "input", { bubbles: true })), 50);
  });
})();
