// The console's own script: times in the viewer's zone, keys, the lineage panel, and live cells that never jump.
"use strict";
(function () {
  const root = document.documentElement;
  const POLL_MS = 2000, AGE_MS = 10000;
  const trusted = window.trustedTypes
    ? window.trustedTypes.createPolicy("crossdock", { createHTML: (own) => own }) // our own server's pages, escaped there
    : { createHTML: (own) => own };
  const parse = (text) => new DOMParser().parseFromString(trusted.createHTML(text), "text/html");
  const all = (selector, within) => Array.from((within || document).querySelectorAll(selector));
  const keep = (name, value) => { try { localStorage.setItem(name, value); } catch (blocked) { /* nothing lasts then */ } };

  // --- time -------------------------------------------------------------------------------------------------------
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "local";
  const clockOf = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  const dayOf = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "2-digit", month: "short" });
  const fullOf = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
  const behind = () => performance.timeOrigin + performance.now();

  function age(at) {
    const seconds = (behind() - at) / 1000, size = Math.abs(seconds);
    const many = (n, unit) => Math.floor(n) + " " + unit;
    const text = size < 1 ? "" : size < 60 ? many(size, "s") : size < 3600 ? many(size / 60, "min")
      : size < 21600 ? many(size / 3600, "h") + " " + many((size % 3600) / 60, "min")
      : size < 86400 ? many(size / 3600, "h") : many(size / 86400, "d");
    return text === "" ? "now" : seconds > 0 ? text + " ago" : "in " + text;
  }

  function clock(at) {
    const day = at.toDateString() === new Date().toDateString() ? "" : dayOf.format(at) + " ";
    return day + clockOf.format(at);
  }

  function tell(within) {
    for (const one of all("time[datetime]", within)) {
      const at = new Date(one.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const show = one.dataset.show;
      const text = show === "age" ? age(at) : show === "lasting" ? age(at).replace(/ ago$/, "") : show === "both" ? clock(at) + " (" + age(at) + ")" : clock(at);
      if (one.textContent !== text) one.textContent = text;
      one.title = fullOf.format(at) + " " + zone + "\n" + at.toISOString().slice(0, 19).replace("T", " ") + " UTC";
    }
  }

  // --- live -------------------------------------------------------------------------------------------------------
  const first = new WeakMap(); // a cell as the server wrote it, before times became local
  const remember = (within) => all("[data-k], [data-live]", within).forEach((one) => first.set(one, one.innerHTML));
  const waiting = new Map(); // region → its new content, while the pointer rests on the old one
  let fresh = [];

  function swap(old, next) {
    const copy = document.importNode(next, true);
    old.replaceWith(copy);
    remember(copy.parentNode);
    tell(copy);
    copy.classList.add("pulse");
  }

  function renew(region, next) {
    if (region.matches(":hover") || region.contains(document.activeElement)) { waiting.set(region.dataset.live, next); return; }
    const cells = all("[data-k]", region), others = all("[data-k]", next);
    const same = cells.length === others.length && cells.every((cell, n) => cell.dataset.k === others[n].dataset.k);
    if (!same || cells.length === 0) { if (first.get(region) !== next.innerHTML) swap(region, next); return; }
    cells.forEach((cell, n) => { if (bare(first.get(cell)) !== bare(others[n].innerHTML) || cell.className.replace(/ ?pulse/, "") !== others[n].className) swap(cell, others[n]); });
  }

  const bare = (html) => (html || "").replace(/>[^<]*<\/time>/g, "></time>");

  function took(text) {
    const page = parse(text);
    for (const next of all("[data-live]", page)) {
      const region = document.querySelector('[data-live="' + next.dataset.live + '"]');
      if (region) renew(region, next);
      else place(next, page);
    }
    for (const region of all("[data-live]")) {
      if (!page.querySelector('[data-live="' + region.dataset.live + '"]') && !region.matches(":hover")) region.remove();
    }
    const known = new Set(all("#timeline [data-row]").map((row) => row.dataset.row));
    fresh = all("#timeline [data-row]", page).filter((row) => !known.has(row.dataset.row));
    announce();
  }

  function place(next, page) { // a region that was not there before, say the first case: it comes after the same neighbour
    const before = all("[data-live]", page), n = before.indexOf(next);
    const anchor = n > 0 && document.querySelector('[data-live="' + before[n - 1].dataset.live + '"]');
    if (!anchor) return;
    const copy = document.importNode(next, true);
    anchor.after(copy);
    remember(copy.parentNode);
    tell(copy);
    copy.classList.add("pulse");
  }

  function announce() {
    const bar = document.getElementById("news");
    if (!bar) return;
    const shown = fresh.filter((row) => root.classList.contains("technical") || !row.classList.contains("technical"));
    bar.hidden = shown.length === 0;
    bar.querySelector("button").textContent = shown.length + " new";
  }

  function showNews() {
    const body = document.querySelector("#timeline tbody");
    if (!body || fresh.length === 0) return;
    const rows = fresh.map((row) => document.importNode(row, true));
    body.prepend(...rows);
    rows.forEach((row) => { tell(row); row.classList.add("pulse"); });
    fresh = [];
    announce();
  }

  async function poll() {
    const { stamp, stampUrl } = document.body.dataset, mark = document.getElementById("live");
    const say = (state, text) => { mark.dataset.state = state; mark.querySelector("span").textContent = text; };
    try {
      const answer = await fetch(stampUrl, { headers: { Accept: "application/json" } });
      if (answer.status === 401) { say("off", "logged out"); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      const now = (await answer.json()).stamp;
      if (now !== stamp) {
        const page = await fetch(location.pathname);
        if (page.ok && !page.redirected) { took(await page.text()); document.body.dataset.stamp = now; }
      }
      say("on", "live");
    } catch (away) {
      say("off", "hub does not answer");
    }
    setTimeout(poll, document.hidden ? POLL_MS * 5 : POLL_MS);
  }

  document.addEventListener("pointerout", (event) => {
    const region = event.target.closest && event.target.closest("[data-live]");
    if (!region || region.contains(event.relatedTarget) || !waiting.has(region.dataset.live)) return;
    const next = waiting.get(region.dataset.live);
    waiting.delete(region.dataset.live);
    requestAnimationFrame(() => renew(region, next));
  });

  // --- the lineage of a row ---------------------------------------------------------------------------------------
  async function toggle(row) {
    const open = row.nextElementSibling;
    if (open && open.classList.contains("panel")) { open.remove(); row.focus(); return; }
    all("tr.panel").forEach((one) => one.remove());
    const panel = document.createElement("tr"), cell = panel.appendChild(document.createElement("td"));
    panel.className = "panel";
    cell.colSpan = row.children.length;
    const slow = setTimeout(() => { cell.textContent = "Reading …"; }, 300);
    row.after(panel);
    const answer = await fetch("/lineage/" + row.dataset.ref + "?fragment=true");
    clearTimeout(slow);
    fill(cell, answer.ok ? await answer.text() : "", answer.status);
  }

  function fill(cell, text, status) {
    cell.replaceChildren();
    if (!text) { cell.textContent = status === 401 ? "You are logged out: load the page again." : "This is no longer kept."; return; }
    cell.append(...document.importNode(parse(text).body, true).childNodes);
    tell(cell);
  }

  document.addEventListener("submit", async (event) => {
    const form = event.target, panel = form.closest("tr.panel > td");
    if (!form.matches("[data-reveal]") || !panel) return;
    event.preventDefault();
    const answer = await fetch(form.action + "?fragment=true", { method: "POST", body: new URLSearchParams(new FormData(form)) });
    fill(panel, answer.ok ? await answer.text() : "", answer.status);
  });

  // --- pointer and keys -------------------------------------------------------------------------------------------
  const act = {
    theme() {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      keep("theme", root.dataset.theme);
    },
    keys() { document.getElementById("keys").showModal(); },
    news: showNews,
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-act], [data-copy]");
    if (button && button.dataset.act) { act[button.dataset.act](); return; }
    if (button) {
      event.preventDefault();
      await navigator.clipboard.writeText(button.dataset.copy);
      const text = button.textContent;
      button.textContent = "copied";
      setTimeout(() => { button.textContent = text; }, 900);
      return;
    }
    const row = event.target.closest("tr[data-ref]");
    if (!row || event.ctrlKey || event.metaKey || String(getSelection())) return;
    if (event.target.closest("a") && !event.target.closest("a.open")) return;
    event.preventDefault();
    toggle(row);
  });

  const rows = () => all("[data-nav]").filter((row) => row.offsetParent !== null);
  const GO = { n: "/", f: "/find", c: "/cases", s: "/systems" };
  let going = 0;

  function step(by) {
    const list = rows(), at = list.indexOf(document.activeElement);
    const next = list[Math.min(list.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : list.length - 1) : at + by))];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  }

  function enter(row) {
    if (row.dataset.ref) { toggle(row); return; }
    const link = row.querySelector("a[href]");
    const more = row.querySelector("details");
    if (more) more.open = !more.open; else if (link) link.click();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = document.activeElement, typing = at && at.matches("input, textarea, select");
    if (event.key === "Escape") {
      if (typing) { at.blur(); return; }
      const panel = document.querySelector("tr.panel");
      if (panel) { const row = panel.previousElementSibling; panel.remove(); row.focus(); }
      return;
    }
    if (typing || document.querySelector("dialog[open]")) return;
    if (going && Date.now() - going < 1200 && GO[event.key]) { going = 0; location.assign(GO[event.key]); return; }
    going = event.key === "g" ? Date.now() : 0;
    const does = {
      "/": () => { (document.getElementById("q") || document.getElementById("seek")).focus(); },
      j: () => step(1), k: () => step(-1), n: showNews, "?": act.keys,
      t: () => { keep("technical", root.classList.toggle("technical") ? "1" : "0"); announce(); },
      Enter: () => { if (at && at.matches("[data-nav]")) enter(at); else return false; },
    }[event.key];
    if (does && does() !== false) event.preventDefault();
  });

  remember(document);
  tell(document);
  setInterval(() => tell(document), AGE_MS);
  if (document.body.dataset.stampUrl && document.getElementById("live") && !new URLSearchParams(location.search).has("before")) setTimeout(poll, POLL_MS);
})();
