// Has the next page made ready, signs out meanwhile if somebody is signed in, and goes there.

const { init, default: session } = supertokens;
const { search } = location;
const post = (path, body) =>
  fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body ?? {}),
  });
const isCustomer = search.includes("customer");

if (isCustomer) {
  init({ apiDomain: location.origin, anonymous: {} });
  await fetch("/api/me");
  await post("/api/login", { name: "Ada", password: "windowsill" });
  await post("/api/demo/expire");
}
const rules = document.createElement("script");
rules.type = "speculationrules";
const next = `/pages/prerendered.html${search}`;
rules.textContent = JSON.stringify({ prerender: [{ urls: [next], eagerness: "immediate" }] });
document.head.append(rules);
for (let notes = []; !notes.length;) {
  await new Promise((done) => setTimeout(done, 50));
  notes = await (await fetch("/notes")).json();
}
if (isCustomer) await session.signOut();
location.href = next;
