import { byId, h } from "./dom";

/**
 * A short message at the edge of the page, read out by screen readers (the container is an
 * `aria-live` region).
 */
export function toast(message: string, kind: "info" | "problem" = "info"): void {
  const element = h("p", { class: `toast ${kind}` }, message);
  byId("toasts").replaceChildren(element);
  setTimeout(() => element.remove(), 5000);
}
