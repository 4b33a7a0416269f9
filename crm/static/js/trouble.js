// What is said when a request fails, and how a form that was filled meanwhile still goes out after a new sign-in.
(() => {
  "use strict";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  // What was pressed and failed is said where everybody sees it, once; a page that only asks again says it quietly.
  const tell = (text, event) => {
    const made = one("#trouble")?.content.firstElementChild.cloneNode(true);
    if (!made || event.detail.requestConfig?.verb === "get") {
      const live = one("#live");
      if (live) live.textContent = text;
      return;
    }
    if (all("[data-toast] .callout-text").some((old) => old.textContent === text)) return;
    one(".callout-text", made).textContent = text;
    one("#flash").append(made);
  };
  let expired = false, renewing = false;
  document.addEventListener("htmx:sendError", (event) => tell("The server cannot be reached, and whether this was saved is not known. What you typed is still here; try again in a moment.", event));
  document.addEventListener("htmx:responseError", (event) => {
    const now = event.detail.xhr.getResponseHeader("X-Form") === "expired";
    expired ||= now;
    tell(now ? "You are signed out, or signed in anew. Nothing was saved, and what you typed is still here: sign in in another tab, come back and press the button again."
      : "The server answered with an error. What you typed is still here; look in another tab where things stand.", event);
  });
  // After a new sign-in elsewhere the form goes out with that one's token; who is still signed out is told so again.
  document.addEventListener("htmx:confirm", (event) => {
    if (!expired || event.detail.verb === "get" || event.defaultPrevented) return;
    event.preventDefault();
    if (renewing) return;
    renewing = true;
    fetch(location.origin).then(async (answer) => {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html"), token = one("meta[name=csrf-token]", page)?.content;
      if (!answer.ok || answer.redirected || !token) return;
      one("meta[name=csrf-token]").content = token;
      all("input[name=csrf_token]").forEach((field) => { field.value = token; });
      all("#flash [data-toast=bad]").forEach((toast) => toast.remove());
      expired = false;
    }).catch(() => {}).finally(() => { renewing = false; event.detail.issueRequest(true); });
  });
})();
