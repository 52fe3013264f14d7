/**
 * Where the server sends a visitor whose access token has expired: refresh, then back, or on to the
 * login.
 */
import { refreshSessionPage } from "passerby";
import { explain } from "../api";
import { byId, h } from "../dom";
import { startSession } from "../session";

startSession();
refreshSessionPage({ loginPath: "/login" }).catch((error: unknown) => {
  byId("refresh-status").replaceChildren(
    `Your session could not be renewed. ${explain(error)} `,
    h("a", { href: location.href }, "Try again"),
    " or ",
    h("a", { href: "/" }, "go to the shop"),
    ".",
  );
});
