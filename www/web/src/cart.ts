/**
 * The cart: the plants on the window sill, and the list beside it. The server keeps it, in the
 * visitor's session.
 */

import { api, explain, type Cart, type CartLine } from "./api";
import { byId, h, plant } from "./dom";
import { money } from "./money";
import { customerName, onVisitorChange } from "./session";
import { toast } from "./toast";

/** As many plants as are drawn; the list has the rest. */
const PLANTS_SHOWN = 9;

let cart: Cart = { lines: [], count: 0, total: 0 };
/** One write after the other: a guest's cart travels in a cookie, where the last answer wins. */
let queue: Promise<unknown> = Promise.resolve();

/**
 * Loads the cart now and again whenever another visitor is there (signed in, signed out, thrown
 * out).
 */
export function startCart(): void {
  let first = true;
  onVisitorChange(() => {
    if (first) first = false;
    else void enqueue(load);
  });
  void enqueue(load);
}

export function quantityOf(productId: string): number {
  return cart.lines.find((line) => line.productId === productId)?.quantity ?? 0;
}

/** Whether it worked; if it did not, the visitor has been told. */
export function setQuantity(productId: string, quantity: number): Promise<boolean> {
  return enqueue(() => attempt(async () => show(await api.setQuantity(productId, quantity))));
}

function enqueue<T>(task: () => Promise<T>): Promise<T> {
  const result = queue.then(task);
  queue = result.catch(() => undefined);
  return result;
}

async function attempt(task: () => Promise<void>): Promise<boolean> {
  try {
    await task();
    return true;
  } catch (error) {
    toast(explain(error), "problem");
    return false;
  }
}

async function load(): Promise<void> {
  await attempt(async () => show(await api.cart()));
  byId("cart").setAttribute("aria-busy", "false");
}

async function checkOut(): Promise<void> {
  if (customerName() === undefined) return location.assign("/login?redirectBack=/");
  await enqueue(() =>
    attempt(async () => {
      const order = await api.order();
      toast(`Thank you! Order ${order.number} is on your dashboard.`);
      show(await api.cart());
    }),
  );
}

function show(next: Cart): void {
  cart = next;
  byId("cart-status").textContent =
    cart.count === 0
      ? "Your sill is empty."
      : `${cart.count} ${cart.count === 1 ? "plant" : "plants"} on your sill, ` +
        `${money(cart.total)}.`;
  const focused =
    document.activeElement instanceof HTMLElement
      ? document.activeElement.dataset["focus"]
      : undefined;
  byId("cart").replaceChildren(...(cart.count === 0 ? [empty()] : [list(), summary()]));
  if (focused !== undefined)
    document.querySelector<HTMLElement>(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
  showSill();
}

function empty(): HTMLElement {
  return h(
    "p",
    { class: "empty" },
    "Your sill is empty. Add a plant and it moves in, no account needed.",
  );
}

function list(): HTMLElement {
  return h("ul", { class: "lines", id: "cart-lines" }, ...cart.lines.map(row));
}

function row(line: CartLine): HTMLElement {
  const step = (label: string, sign: string, quantity: number) =>
    h(
      "button",
      {
        type: "button",
        "aria-label": `${label} ${line.name}`,
        "data-focus": `${label} ${line.productId}`,
        onclick: () => void setQuantity(line.productId, quantity),
      },
      sign,
    );
  return h(
    "li",
    { "data-product": line.productId },
    h("span", { class: "line-name" }, line.name),
    h(
      "span",
      { class: "stepper" },
      step(line.quantity === 1 ? "Remove" : "One less", "−", line.quantity - 1),
      h(
        "span",
        { class: "quantity" },
        h("span", { class: "visually-hidden" }, "Quantity "),
        String(line.quantity),
      ),
      step("One more", "+", line.quantity + 1),
    ),
    h("span", { class: "line-total" }, money(line.total)),
  );
}

function summary(): HTMLElement {
  return h(
    "div",
    { class: "summary" },
    h("p", { class: "total", id: "cart-total" }, "Total ", h("strong", {}, money(cart.total))),
    h(
      "button",
      { type: "button", class: "button", id: "check-out", onclick: () => void checkOut() },
      "Check out",
    ),
  );
}

/** Moves plants in and out one by one, so that those who stay do not flicker. */
function showSill(): void {
  const sill = byId("sill");
  const standing = new Map(
    [...sill.children].map((child) => [(child as SVGElement).dataset["key"], child]),
  );
  sill.replaceChildren(
    ...plantsToShow().map(({ id, key }) => {
      const known = standing.get(key);
      if (known !== undefined) return known;
      const picture = plant(id, "plant arriving");
      picture.dataset["key"] = key;
      return picture;
    }),
  );
}

/** In the order of the list; where there are too many, one of each kind comes before seconds. */
function plantsToShow(): { id: string; key: string }[] {
  const all = cart.lines.flatMap((line) =>
    Array.from({ length: line.quantity }, (_, nth) => ({
      id: line.productId,
      key: `${line.productId} ${nth}`,
      nth,
    })),
  );
  const shown = new Set(all.toSorted((a, b) => a.nth - b.nth).slice(0, PLANTS_SHOWN));
  return all.filter((one) => shown.has(one));
}
