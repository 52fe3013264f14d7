/** The session panel: what the shop's visitors never see, and what this demo is about. */

import { forgetAnonymousId, subscribe } from "passerby";
import { api, ApiError, explain, type AfterSignOut } from "./api";
import { byId, h } from "./dom";
import {
  afterSignOut,
  anonymousSessionsWanted,
  shopsPayload,
  switchAnonymousSessions,
  visitor,
  type Visitor,
} from "./session";
import { timeline, type Entry } from "./timeline";
import { toast } from "./toast";

const STATES = {
  unknown: "Unknown",
  anonymous: "Anonymous",
  authenticated: "Authenticated",
  none: "None",
} as const;
const AFTER_SIGN_OUT: Record<AfterSignOut, string> = {
  keep: "keep the anonymousId",
  rotate: "get a new one (shared device)",
};
/** Controls that are disabled while the visitor is not signed in, or has no anonymousId. */
const NEEDS_USER = { "data-needs-user": true };
const NEEDS_ID = { "data-needs-id": true };
const WIDE = matchMedia("(min-width: 72rem)");

export function startPanel(): void {
  const details = byId("panel") as HTMLDetailsElement;
  const summary = details.querySelector("summary");
  const adapt = () => {
    details.open = WIDE.matches;
    if (summary !== null) summary.tabIndex = WIDE.matches ? -1 : 0;
  };
  adapt();
  WIDE.addEventListener("change", adapt);
  // Beside the shop the panel stays open: there is nothing to gain from closing it.
  summary?.addEventListener("click", (event) => WIDE.matches && event.preventDefault());

  byId("session-controls").replaceChildren(...controls());
  byId("timeline-clear").addEventListener("click", () => timeline.clear());
  timeline.subscribe(showTimeline);
  subscribe(showSession);
  setInterval(showExpiry, 1000);
  showTimeline();
  showSession();
}

/* ---- The present state ---- */

function showSession(): void {
  const now = visitor();
  const chip = byId("panel-chip");
  chip.textContent = STATES[now.state];
  chip.dataset["state"] = now.state;
  byId("session-states").replaceChildren(
    ...Object.entries(STATES).map(([state, name]) =>
      h(
        "li",
        { "data-state": state, "aria-current": state === now.state ? "true" : undefined },
        name,
      ),
    ),
  );
  byId("session-facts").replaceChildren(
    ...fact("User id", "fact-user-id", now.state === "authenticated" ? now.userId : undefined),
    ...fact("anonymousId", "fact-anonymous-id", now.anonymousId),
    ...fact("Payload", "fact-payload", shopsPayload() || undefined),
    ...fact("Token expires", "fact-expires", expiry(now)),
  );
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-needs-user]")) {
    button.disabled = now.state !== "authenticated";
  }
  for (const control of document.querySelectorAll<HTMLButtonElement | HTMLFieldSetElement>(
    "[data-needs-id]",
  )) {
    control.disabled = now.anonymousId === undefined;
  }
  showChoice();
  byId("controls-hint").hidden = now.state === "authenticated";
}

function fact(name: string, id: string, value: string | undefined): HTMLElement[] {
  return [
    h("dt", {}, name),
    h("dd", { id, class: value === undefined ? "none" : "" }, value ?? "none"),
  ];
}

function showExpiry(): void {
  const text = expiry(visitor()) ?? "none";
  const element = byId("fact-expires");
  if (element.textContent !== text) element.textContent = text;
}

function expiry({ expiresAt }: Visitor): string | undefined {
  if (expiresAt === undefined) return undefined;
  const seconds = Math.ceil((expiresAt - Date.now()) / 1000);
  if (seconds <= 0) return "expired";
  const years = Math.round(seconds / 31_556_952);
  if (years > 0) return `in about ${years} ${years === 1 ? "year" : "years"}`;
  const two = (n: number) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours >= 48) return `in ${Math.floor(hours / 24)} days`;
  return `in ${hours > 0 ? `${hours}:` : ""}${two(minutes)}:${two(seconds % 60)}`;
}

/* ---- Events ---- */

function showTimeline(): void {
  const entries = timeline.entries();
  byId("timeline").replaceChildren(
    ...(entries.length === 0 ? [h("li", { class: "quiet" }, "Nothing yet.")] : entries.map(row)),
  );
}

function row(entry: Entry): HTMLElement {
  const time = new Date(entry.at);
  return h(
    "li",
    {
      "data-action": entry.action,
      "data-state": entry.state,
      "data-exists": entry.answers && String(entry.answers.exists),
      "data-anonymous": entry.answers && String(entry.answers.anonymous),
    },
    h("strong", {}, entry.action),
    h("time", { datetime: time.toISOString() }, time.toLocaleTimeString("en-GB")),
    h(
      "span",
      { class: "where" },
      [`now ${entry.state}`, entry.anonymousId?.slice(0, 8), entry.page]
        .filter(Boolean)
        .join(" · "),
    ),
    entry.expiredOrRevoked !== undefined &&
      h("code", {}, `sessionExpiredOrRevoked: ${entry.expiredOrRevoked}`),
    entry.payload !== undefined && h("code", {}, `payload: ${entry.payload}`),
    entry.answers && h("code", {}, `doesSessionExist() → ${entry.answers.exists}`),
    entry.answers && h("code", {}, `isAnonymous() → ${entry.answers.anonymous}`),
  );
}

/* ---- Things to try ---- */

function controls(): HTMLElement[] {
  return [
    control("demo-expire", "Let the token expire now", NEEDS_USER, async () => {
      await api.demo.expire();
      return "The access token has expired. The next request refreshes it.";
    }),
    control("demo-revoke", "Revoke from the back end", NEEDS_USER, async () => {
      await api.demo.revoke();
      return request();
    }),
    control("demo-steal", "Replay a stolen refresh token", NEEDS_USER, async () => {
      await api.demo.steal();
      await api.demo.expire();
      return request();
    }),
    control("demo-request", "Ask for the account", {}, request),
    h("p", { class: "hint", id: "controls-hint" }, "Sign in to try the first three."),
    anonymousSwitch(),
    afterSignOutChoice(),
    control("forget-me", "Forget me", NEEDS_ID, async () => {
      await forgetAnonymousId();
      return "Your old anonymousId is gone. You have a new one.";
    }),
  ];
}

function control(
  id: string,
  label: string,
  needs: Record<string, boolean>,
  run: () => Promise<string>,
): HTMLElement {
  const button = h("button", { type: "button", id, ...needs }, label);
  button.addEventListener("click", async () => {
    button.setAttribute("aria-busy", "true");
    try {
      toast(await run());
    } catch (error) {
      toast(explain(error), "problem");
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
  return button;
}

/** A request to a route for customers only: it meets whatever the button before it has prepared. */
async function request(): Promise<string> {
  try {
    const { name } = await api.account();
    return `The server says: the account of ${name}.`;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401)
      return "The server says: 401, you are not signed in.";
    throw error;
  }
}

function anonymousSwitch(): HTMLElement {
  const input = h("input", {
    type: "checkbox",
    role: "switch",
    id: "anonymous-switch",
    checked: anonymousSessionsWanted(),
  });
  input.addEventListener("change", async () => {
    try {
      await switchAnonymousSessions(input.checked);
      toast(input.checked ? "Anonymous sessions are on." : "Anonymous sessions are off.");
    } catch (error) {
      toast(explain(error), "problem");
    }
  });
  return h("label", { class: "switch" }, input, h("span", {}, "Anonymous sessions"));
}

function afterSignOutChoice(): HTMLElement {
  const options = Object.entries(AFTER_SIGN_OUT) as [AfterSignOut, string][];
  return h(
    "fieldset",
    { class: "choice", ...NEEDS_ID },
    h("legend", {}, "When I sign out, I"),
    ...options.map(([policy, label]) => {
      const input = h("input", { type: "radio", name: "after-sign-out", value: policy });
      input.addEventListener("change", () => void choose(policy, label));
      return h("label", {}, input, h("span", {}, label));
    }),
  );
}

async function choose(policy: AfterSignOut, label: string): Promise<void> {
  try {
    await api.demo.chooseAfterSignOut(policy);
    toast(`When you sign out, you ${label}.`);
  } catch (error) {
    toast(explain(error), "problem");
    showChoice();
  }
}

/** The choice lies in the session, so other tabs and the end of the session change it, too. */
function showChoice(): void {
  const chosen = afterSignOut();
  for (const input of document.querySelectorAll<HTMLInputElement>("[name=after-sign-out]"))
    input.checked = input.value === chosen;
}
