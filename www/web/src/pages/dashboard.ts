/**
 * The page itself comes from the server, finished. When the customer's session ends, in whatever
 * tab, it shows nothing of theirs any more.
 */
import { byId, h } from "../dom";
import { startHeader } from "../header";
import { startPanel } from "../panel";
import { onVisitorChange, startSession, visitor } from "../session";

startSession();
startHeader();
startPanel();

onVisitorChange(() => {
  const { state, anonymousId } = visitor();
  // A user who asks to be forgotten stays signed in, with another id.
  const rendered = document.getElementById("ssr-anonymous-id");
  if (state === "authenticated" && rendered !== null) rendered.textContent = anonymousId ?? "none";
  if (state !== "anonymous" && state !== "none") return;
  byId("main").replaceChildren(
    h("h1", {}, "You are signed out"),
    h(
      "p",
      { class: "lead" },
      "This page is for customers. ",
      h("a", { href: "/login?redirectBack=/dashboard" }, "Sign in"),
      " to see it again.",
    ),
  );
});
