// The little that links and forms cannot do: keys, palette, bulk selection, toasts, theme, confirmation, focus.
// Every page works without this file. It evaluates nothing and writes no style, so a strict CSP holds.
(() => {
  "use strict";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const on = (type, selector, act) => document.addEventListener(type, (event) => {
    const hit = event.target.closest?.(selector);
    if (hit) act(hit, event);
  });
  const say = (text) => { const live = one("#live"); if (live) live.textContent = text; };
  const typing = (node) => node.matches("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");

  // htmx: the CSRF token travels with every change.
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = one("meta[name=csrf-token]")?.content ?? "";
  });

  // Theme: automatic -> light -> dark. The cookie lets the server draw the right one at once.
  const root = document.documentElement;
  const showTheme = () => all("[data-theme-label]").forEach((node) => { node.textContent = `Theme: ${root.dataset.theme || "automatic"}`; });
  const setTheme = (theme) => {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    try { localStorage.setItem("theme", theme); } catch { /* storage refused: the cookie is enough */ }
    document.cookie = `theme=${theme}; path=/; max-age=${theme ? 31536000 : 0}; samesite=lax`;
    showTheme();
  };
  const kept = (() => { try { return localStorage.getItem("theme") ?? ""; } catch { return ""; } })();
  if (kept && !root.dataset.theme) setTheme(kept);
  on("click", "[data-theme-toggle]", () => {
    setTheme({ "": "light", light: "dark", dark: "" }[root.dataset.theme ?? ""]);
    say(`Theme ${root.dataset.theme || "automatic"}`);
  });

  // Dialogs and menus.
  const open = (id) => { const dialog = document.getElementById(id); if (dialog && !dialog.open) dialog.showModal(); return dialog; };
  on("click", "[data-dialog]", (button) => open(button.dataset.dialog));
  on("click", "dialog [data-close]", (button) => button.closest("dialog").close());
  on("click", "dialog", (dialog, event) => {
    if (event.target !== dialog || event.detail === 0) return;
    const box = dialog.getBoundingClientRect();
    if (event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom) dialog.close();
  });
  const closeMenus = (except) => all("details[data-menu][open]").forEach((menu) => { if (menu !== except) menu.open = false; });
  document.addEventListener("click", (event) => closeMenus(event.target.closest("details[data-menu]")));

  // Confirmation: the button or form carries the question; the answer lets the same deed through once.
  let confirmed = null;
  const ask = (source, proceed) => {
    const dialog = one("#confirm"), yes = one("[data-confirm-yes]", dialog);
    one("#confirm-title").textContent = source.dataset.confirmTitle ?? "Are you sure?";
    one("#confirm-text").textContent = source.dataset.confirm;
    yes.textContent = source.dataset.confirmOk ?? "Go on";
    yes.className = `btn ${"confirmDanger" in source.dataset ? "btn-danger-solid" : "btn-primary"}`;
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => { if (dialog.returnValue === "yes") proceed(); }, { once: true });
    open("confirm");
  };
  document.addEventListener("click", (event) => {
    const source = event.target.closest("button[data-confirm], a[data-confirm]");
    if (!source || confirmed === source) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    ask(source, () => { confirmed = source; source.click(); confirmed = null; });
  }, true);
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-confirm]") || confirmed === form) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    ask(form, () => { confirmed = form; form.requestSubmit(event.submitter); confirmed = null; });
  }, true);

  // Unsaved changes.
  const dirty = new Set();
  on("input", "form[data-guard]", (form) => dirty.add(form));
  document.addEventListener("submit", (event) => dirty.delete(event.target));
  window.addEventListener("beforeunload", (event) => { if ([...dirty].some((form) => form.isConnected)) event.preventDefault(); });

  // Selection and the bulk bar.
  const count = (area) => {
    const boxes = all(".row-check", area), chosen = boxes.filter((box) => box.checked).length;
    const head = one("[data-select-all]", area), bar = one("[data-bulk]", area);
    if (head) { head.checked = chosen > 0 && chosen === boxes.length; head.indeterminate = chosen > 0 && chosen < boxes.length; }
    const label = bar && one("[data-bulk-count]", bar);
    if (label) label.textContent = `${chosen} ${chosen === 1 ? bar.dataset.one : bar.dataset.many} chosen`;
  };
  const recount = () => all("[data-select]").forEach(count);
  let last = null;
  on("click", ".row-check", (box, event) => {
    const area = box.closest("[data-select]"), boxes = area ? all(".row-check", area) : [];
    if (event.shiftKey && last && boxes.includes(last)) {
      const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
      boxes.slice(from, to + 1).forEach((other) => { other.checked = box.checked; });
    }
    last = box;
    recount();
  });
  on("change", "[data-select-all]", (head) => { all(".row-check", head.closest("[data-select]")).forEach((box) => { box.checked = head.checked; }); recount(); });
  document.addEventListener("reset", () => setTimeout(recount));

  // Toasts: good news leaves by itself, bad news waits to be closed; the pointer or focus holds it.
  const tend = (toast) => {
    if (toast.dataset.tended || toast.dataset.toast === "bad") return;
    toast.dataset.tended = "1";
    const leave = () => (toast.matches(":hover, :focus-within") ? setTimeout(leave, 2000) : toast.remove());
    setTimeout(leave, 7000);
  };
  on("click", "[data-dismiss]", (button) => button.closest("[data-toast]").remove());

  // Copy.
  on("click", "[data-copy]", async (button) => {
    try { await navigator.clipboard.writeText(button.dataset.copy); say("Copied"); button.title = "Copied"; }
    catch { say("The browser refused to copy"); button.title = "The browser refused to copy"; }
  });

  // Command palette.
  const palette = one("#palette"), box = palette && one("input", palette);
  const options = () => all("[role=option]", palette);
  const choose = (item) => {
    options().forEach((other) => other.setAttribute("aria-selected", String(other === item)));
    if (item) { box.setAttribute("aria-activedescendant", item.id); item.scrollIntoView({ block: "nearest" }); }
    else box.removeAttribute("aria-activedescendant");
  };
  const openPalette = () => {
    if (!palette || palette.open) return;
    if (!window.htmx) { location.assign(palette.dataset.url); return; }
    palette.showModal(); box.value = ""; box.focus(); htmx.trigger(box, "open");
  };
  box?.addEventListener("keydown", (event) => {
    const items = options(), at = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(items[(at + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length]);
    } else if (event.key === "Enter" && items.length) {
      event.preventDefault();
      items[Math.max(at, 0)].click();
    }
  });
  on("click", "[data-palette]", (link, event) => { event.preventDefault(); openPalette(); });

  // After a swap: tend new toasts, recount, and put the focus where the answer asks for it.
  document.addEventListener("htmx:afterSettle", (event) => {
    const target = event.detail.elt ?? event.target;
    all("[data-toast]").forEach(tend);
    all("form[data-guard=changed]").forEach((form) => dirty.add(form));
    recount();
    if (target.id === "palette-results") { choose(options()[0]); return; }
    const goal = target.matches?.("[data-focus]") ? target : one?.("[data-focus]", target);
    goal?.focus();
  });
  // Sending a form took it for saved; where that failed, leaving the page is asked about again. What is said: trouble.js.
  for (const failed of ["htmx:sendError", "htmx:responseError"]) document.addEventListener(failed, (event) => {
    const form = event.detail.elt.closest?.("form[data-guard]");
    if (form) dirty.add(form);
  });

  // Keys. Single letters are silent while typing and inside dialogs.
  let went = 0;
  const current = () => document.activeElement.closest("[data-card]") ?? document.activeElement;
  const card = () => all("[data-card]").length === 1 ? one("[data-card]") : current().closest("[data-card]");
  const keyed = (key) => card() && one(`[data-key="${CSS.escape(key)}"]`, card());
  const step = (by) => {
    const links = all("main tbody .person-name[href], main [data-row-link], main [data-card]");
    links[Math.min(Math.max(links.indexOf(current()) + by, 0), links.length - 1)]?.focus();
  };
  // A board's card that is dropped on another column sends its own form with it.
  let dragged = null;
  on("dragstart", "[data-drag]", (card) => { dragged = one("select", card); });
  on("dragover", "[data-stage]", (column, event) => { if (dragged) event.preventDefault(); });
  on("drop", "[data-stage]", (column) => { dragged.value = column.dataset.stage; if (dragged.value) dragged.form.requestSubmit(); else { dragged.selectedIndex = 0; say("It cannot be moved there"); } });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); openPalette(); return; }
    if (event.key === "Escape") { closeMenus(); if (typing(event.target) && !event.target.closest("dialog")) event.target.blur(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat && !"jk".includes(event.key) || typing(event.target) || one("dialog[open]")) return;
    const going = Date.now() - went < 1200;
    const link = going && /^[a-z]$/.test(event.key) && one(`[data-go="${event.key}"]`);
    went = event.key === "g" && !going ? Date.now() : 0;
    if (link) { event.preventDefault(); link.click(); }
    else if (event.key === "/") { event.preventDefault(); const search = one("#search"); search?.focus(); search?.select(); }
    else if (event.key === "?") open("help");
    else if (keyed(event.key)) { event.preventDefault(); keyed(event.key).click(); }
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
  });

  all("[data-toast]").forEach(tend);
  recount();
  showTheme();
  one("main [data-focus]")?.focus();
})();
