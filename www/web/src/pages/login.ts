import { api, explain } from "../api";
import { byId } from "../dom";
import { startHeader } from "../header";
import { startPanel } from "../panel";
import { addressAfterLogin } from "../redirect";
import { startSession } from "../session";

startSession();
startHeader();
startPanel();

const form = byId("login") as HTMLFormElement;
const problem = byId("login-error");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  const [name, password] = ["name", "password"].map((field) =>
    String(new FormData(form).get(field) ?? ""),
  );
  problem.textContent = "";
  if (!name?.trim() || !password) {
    problem.textContent = "Both a name and the password are needed.";
    form.querySelector<HTMLInputElement>(name?.trim() ? "#password" : "#name")?.focus();
    return;
  }
  button?.setAttribute("disabled", "");
  try {
    await api.login(name, password);
    location.assign(addressAfterLogin(location.search));
  } catch (error) {
    problem.textContent = explain(error);
    form.querySelector<HTMLInputElement>("#password")?.select();
  } finally {
    button?.removeAttribute("disabled");
  }
});
