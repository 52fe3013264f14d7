import { signOut } from "passerby";
import { explain } from "./api";
import { byId, h } from "./dom";
import { customerName, onVisitorChange } from "./session";
import { toast } from "./toast";

/** The account corner of the header, and the mark on the current page's link. */
export function startHeader(): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement>("header nav a")) {
    if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
  }
  onVisitorChange(() => {
    const name = customerName();
    byId("account").replaceChildren(
      ...(name !== undefined
        ? [
            h("span", { class: "customer", id: "customer" }, name),
            h(
              "button",
              { type: "button", class: "button small quiet", id: "sign-out", onclick: leave },
              "Sign out",
            ),
          ]
        : location.pathname !== "/login"
          ? [h("a", { href: "/login", class: "button small" }, "Sign in")]
          : []),
    );
  });
}

async function leave(): Promise<void> {
  try {
    await signOut();
    if (location.pathname === "/dashboard") location.assign("/");
    else toast("Signed out. You are a guest again.");
  } catch (error) {
    toast(`Signing out failed. ${explain(error)}`, "problem");
  }
}
